package integration_test

import (
	"database/sql"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// The tables that need no such care, and why.
var (
	notHashed = map[string]string{
		"meta": "it says which database this is", "checkpoints": "how far this database is", "files": "the files beside this database",
		"hosts": "the hashed rows begin with the name", "rosters": "the newest snapshot of each host", "boots": "hashed rows name the boots",
		"quarantine_counts": "it counts messages that the log may no longer have", "rollup_processes": "hashed with process_rollups",
		"retention_passes": ownOfDatabase, "retention_hosts": ownOfDatabase, "retention_databases": ownOfDatabase,
		"rule_memories": "other rules remember other things", "found_anomalies": "episodes wait there until the log has them",
		"lives": "made of the events, which are hashed", "lanes": "made of lives", "host_hours": "sums of the minutes, which are hashed; they outlive the log",
	}
	notDeleted = map[string]string{
		"checkpoints": "one row a stream", "hosts": "one row a host", "rosters": "one row a host",
		"boots": "one small row a boot", "rule_memories": "one row a host and stream", "quarantine_counts": "a few rows a host", "retention_hosts": "one row a host",
	}
	notKept = map[string]string{
		"hosts": "ids come from the names", "processes": "ids are counted, and the rows outlive their snapshots",
		"samples":    "the log is kept for their snapshots",
		"quarantine": "rows hold the messages themselves", "rollup_processes": "ids come from the descriptions", "retention_passes": ownOfDatabase,
		"host_minutes": outlivesLog, "step_minutes": outlivesLog, "program_minutes": outlivesLog, "host_hours": outlivesLog,
	}
)

const (
	ownOfDatabase = "no log gives it: it is this database's own"
	outlivesLog   = "its rows are kept for longer than what they are made of"
)

// tableCare is what the code does with tables, by name.
type tableCare struct{ hashed, deleted, kept map[string]bool }

// Each table is hashed by verify, emptied by retention, and holds the log back while it has rows of it; or it is said
// above why not.
func TestTables_AreTakenCareOf(t *testing.T) {
	t.Parallel()
	care := tableCare{hashed: hashedTables(t), deleted: deletedTables(t), kept: keptTables(t)}
	tables := tablesOf(t, "")
	for name, columns := range tables {
		for _, defect := range care.defects(name, columns) {
			t.Error(defect)
		}
	}
	for what, reasons := range map[string]map[string]string{"notHashed": notHashed, "notDeleted": notDeleted, "notKept": notKept} {
		for name := range reasons {
			if _, ok := tables[name]; !ok {
				t.Errorf("%s names %s, which is no table: take it out of integration_test/tables_test.go", what, name)
			}
		}
	}
	// The control: a table that nobody knows is reported three times.
	made := tablesOf(t, `CREATE TABLE made_up (id INTEGER PRIMARY KEY, timestamp REAL NOT NULL)`)
	if defects := care.defects("made_up", made["made_up"]); len(defects) != 3 {
		t.Errorf("a made-up table: got %q, want three defects", defects)
	}
}

// defects is what is left out for a table, each with the file to touch.
func (c tableCare) defects(table string, columns []string) (out []string) {
	const excepted = "or give the reason why not in %s of integration_test/tables_test.go"
	check := func(done bool, reasons map[string]string, list, text string) {
		_, ok := reasons[table]
		switch {
		case !done && !ok:
			out = append(out, fmt.Sprintf("table %s: "+text+", "+excepted, table, list))
		case done && ok:
			out = append(out, fmt.Sprintf("table %s: take it out of %s of integration_test/tables_test.go: the code does it", table, list))
		}
	}
	check(c.hashed[table], notHashed, "notHashed", "verify does not hash it: add it to hashedTables of query/verify/tables.go")
	check(c.deleted[table], notDeleted, "notDeleted", "retention never deletes its rows: add it to projector/retention/expire.go")
	if slices.Contains(columns, "id") || slices.Contains(columns, "timestamp") { // its rows may stand for messages
		check(c.kept[table], notKept, "notKept", "the log is trimmed while it has rows of it: add it to kept of projector/retention/trim.go")
	}
	return out
}

// tablesOf are the columns of each table of a new database, after a further statement.
func tablesOf(t *testing.T, further string) map[string][]string {
	t.Helper()
	db := must(sql.Open("sqlite", filepath.Join(t.TempDir(), "tables.db")))(t)
	defer db.Close()
	files := must(filepath.Glob("../schema/sql/*.sql"))(t)
	if len(files) == 0 {
		t.Fatal("no files in schema/sql")
	}
	for _, name := range files { // in the order of their numbers
		if _, err := db.Exec(string(must(os.ReadFile(name))(t))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := db.Exec(further); err != nil {
		t.Fatal(err)
	}
	rows := must(db.Query(`SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`))(t)
	defer rows.Close()
	tables := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		tables[table] = append(tables[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// hashedTables are the tables that verify hashes.
func hashedTables(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, element := range literal(t, "../query/verify/tables.go", "hashedTables").Elts {
		names[must(strconv.Unquote(element.(*ast.CompositeLit).Elts[0].(*ast.BasicLit).Value))(t)] = true
	}
	return names
}

// keptTables are the tables whose rows keep the messages that they came from.
func keptTables(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, element := range literal(t, "../projector/retention/trim.go", "kept").Elts {
		query := must(strconv.Unquote(element.(*ast.KeyValueExpr).Value.(*ast.BasicLit).Value))(t)
		maps.Copy(names, namesAfter("FROM", query))
	}
	return names
}

// deletedTables are the tables that retention, or the store for it, deletes rows of.
func deletedTables(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, folder := range []string{"retention", "store"} {
		for _, file := range must(filepath.Glob("../projector/" + folder + "/*.go"))(t) {
			if !strings.HasSuffix(file, "_test.go") {
				maps.Copy(names, namesAfter("DELETE FROM", string(must(os.ReadFile(file))(t))))
			}
		}
	}
	return names
}

// namesAfter are the names of tables that stand after a word of SQL.
func namesAfter(word, text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(word+` ([a-z_]+)`).FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return names
}

// literal is what a variable of a file is set to.
func literal(t *testing.T, file, variable string) *ast.CompositeLit {
	t.Helper()
	f := must(parser.ParseFile(token.NewFileSet(), file, nil, 0))(t)
	for _, decl := range f.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				if v := spec.(*ast.ValueSpec); v.Names[0].Name == variable {
					return v.Values[0].(*ast.CompositeLit)
				}
			}
		}
	}
	t.Fatalf("%s has no variable %s", file, variable)
	return nil
}
