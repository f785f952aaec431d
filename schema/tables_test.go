package schema

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// undocumentedIn says what a database has that a documentation does not, column by column.
func undocumentedIn(t *testing.T, db *sql.Conn, tables []Table) (missing []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name, m.type, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var table, kind, column, of string
		if err := rows.Scan(&table, &kind, &column, &of); err != nil {
			t.Fatal(err)
		}
		n++
		i := slices.IndexFunc(tables, func(d Table) bool { return d.Name == table && d.View == (kind == "view") && d.Doc != "" })
		if i < 0 || !slices.ContainsFunc(tables[i].Columns, func(c Column) bool {
			return c.Name == column && (c.Type == of || kind == "view" && c.Type != "")
		}) {
			missing = append(missing, fmt.Sprintf("%s.%s %s", table, column, of))
		}
	}
	if err := rows.Err(); err != nil || n < 100 {
		t.Fatalf("got %d columns, %v", n, err)
	}
	return missing
}

// Every table, view and column of a new database is documented, with its type, and nothing is that is not there.
func TestTables_AreAllThere(t *testing.T) {
	pool, err := sql.Open("sqlite", WriterDSN(filepath.Join(t.TempDir(), "new.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	db, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	tables := Tables()
	for _, missing := range undocumentedIn(t, db, tables) {
		t.Errorf("%s is not documented: a comment in schema/sql says what it is", missing)
	}
	documented := 0
	for _, table := range tables {
		documented += len(table.Columns)
	}
	var there int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_master m, pragma_table_info(m.name) WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'`).Scan(&there); err != nil || there != documented {
		t.Errorf("%d columns are documented, %d are there (%v)", documented, there, err)
	}
	for column, want := range map[string]string{"process_metrics.rss_mb": "MiB", "samples.rss_kib": "KiB", "snapshots.timestamp": "Unix seconds", "process_rollups.cpu_max": "thousandths of a core"} {
		for _, table := range tables {
			for _, c := range table.Columns {
				if table.Name+"."+c.Name == column && c.Unit != want {
					t.Errorf("%s is in %q, want %q", column, c.Unit, want)
				}
			}
		}
	}
	// The control: a table and a column that nobody documented.
	for _, text := range []string{`CREATE TABLE bare (x INTEGER)`, `ALTER TABLE hosts ADD COLUMN bare TEXT`} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if missing := undocumentedIn(t, db, tables); len(missing) != 2 {
		t.Errorf("a table and a column without a comment: got %q", missing)
	}
}
