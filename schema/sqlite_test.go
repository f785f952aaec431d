package schema

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// openDSN opens one connection of a database until the test ends.
func openDSN(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// migrated is a writer's connection to a new database with all tables, and the database's file.
func migrated(t *testing.T) (conn *sql.Conn, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "monitor.db")
	conn = openDSN(t, WriterDSN(file))
	if err := Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn, file
}

// value is the one value that a query answers.
func value[T any](t *testing.T, conn *sql.Conn, query string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func run(t *testing.T, conn *sql.Conn, query string, args ...any) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// insert adds a row. A column that must have a value and is given none gets 0.
func insert(t *testing.T, conn *sql.Conn, table string, row map[string]any) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(),
		`SELECT name FROM pragma_table_info(?) WHERE "notnull" AND dflt_value IS NULL AND NOT pk`, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	full := map[string]any{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		full[name] = 0
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for name, v := range row {
		full[name] = v
	}
	var names []string
	var args []any
	for name, v := range full {
		names, args = append(names, name), append(args, v)
	}
	run(t, conn, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", table, strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1)), args...)
}

func TestMigrate(t *testing.T) {
	conn, file := migrated(t)
	steps, err := fs.Glob(migrations, "sql/*.sql")
	if err != nil || len(steps) == 0 || !slices.IsSorted(steps) {
		t.Fatalf("got steps %v, %v, want some in order", steps, err)
	}
	if got := value[int](t, conn, `PRAGMA user_version`); got != len(steps) {
		t.Errorf("got user_version %d, want %d", got, len(steps))
	}
	const dump = `SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10)) FROM (SELECT * FROM sqlite_schema ORDER BY name)`
	before, bytesBefore := value[string](t, conn, dump), value[int64](t, conn, `PRAGMA page_count`)
	insert(t, conn, "meta", map[string]any{"key": "k", "value": "v"})
	if err := Migrate(t.Context(), conn); err != nil {
		t.Fatalf("second time: %v", err)
	}
	if after := value[string](t, conn, dump); after != before || value[int64](t, conn, `PRAGMA page_count`) != bytesBefore {
		t.Errorf("second time: got\n%s, want\n%s", after, before)
	}
	if got := value[string](t, openDSN(t, ReaderDSN(file)), `SELECT value FROM meta WHERE key = 'k'`); got != "v" {
		t.Errorf("second time: got %q, want the row to stay", got)
	}
}

func TestMigrate_RefusesLaterVersion(t *testing.T) {
	conn, _ := migrated(t)
	known := value[int](t, conn, `PRAGMA user_version`)
	run(t, conn, fmt.Sprintf("PRAGMA user_version = %d", known+1))
	want := fmt.Sprintf("the database has schema version %d, this build knows up to %d", known+1, known)
	if err := Migrate(t.Context(), conn); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %q", err, want)
	}
}

func TestMigrate_FailedStepLeavesNothing(t *testing.T) {
	conn := openDSN(t, WriterDSN(filepath.Join(t.TempDir(), "monitor.db")))
	run(t, conn, `CREATE TABLE snapshots (id INTEGER)`) // another program's
	err := Migrate(t.Context(), conn)
	if err == nil || !strings.Contains(err.Error(), "migrate to 0001_init.sql: ") || !strings.Contains(err.Error(), "snapshots") {
		t.Errorf("got error %v, want one that names the step and the table", err)
	}
	if got := value[int](t, conn, `SELECT count(*) FROM sqlite_schema`); got != 1 || value[int](t, conn, `PRAGMA user_version`) != 0 {
		t.Errorf("got %d tables, want the one that was there, and version 0", got)
	}
}

func TestMigrate_ContextEnded(t *testing.T) {
	conn := openDSN(t, WriterDSN(filepath.Join(t.TempDir(), "monitor.db")))
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := Migrate(ctx, conn); err == nil {
		t.Error("got no error")
	}
}

func TestWriterDSN_Settings(t *testing.T) {
	conn, _ := migrated(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "auto_vacuum": "2", "busy_timeout": "5000", "journal_size_limit": "67108864", "cache_size": "-16384",
	} {
		if got := value[string](t, conn, "PRAGMA "+pragma); got != want {
			t.Errorf("%s: got %s, want %s", pragma, got, want)
		}
	}
}

// A path is a path: what means something in a URI is a part of the name.
func TestDSN_Paths(t *testing.T) {
	for _, name := range []string{
		"monitor.db", "with space.db", "what?.db", "?mode=memory", "100%.db", "%41.db", "a#b.db", "a&b=c.db", "größe.db",
		"a:b.db", ":memory:", "+x.db", "a;b.db", `back\slash.db`, "'quoted\".db", "file:x.db", "sub folder?/x#.db",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			conn := openDSN(t, WriterDSN(file))
			if err := Migrate(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			insert(t, conn, "meta", map[string]any{"key": "name", "value": name})
			if info, err := os.Stat(file); err != nil || info.Size() == 0 {
				t.Errorf("got %v, want the file by its name", err)
			}
			entries, err := os.ReadDir(filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), filepath.Base(file)) {
					t.Errorf("got a file %q beside it", e.Name())
				}
			}
			if got := value[string](t, openDSN(t, ReaderDSN(file)), `SELECT value FROM meta`); got != name {
				t.Errorf("reader: got %q, want %q", got, name)
			}
		})
	}
}

func TestDSN_RelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"monitor.db", "a:b.db", "../x y.db", "?.db"} {
		if err := Migrate(t.Context(), openDSN(t, WriterDSN(name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s: got %v, want the file by its name", name, err)
		}
	}
}

func TestDSN_PathOfTwoSlashes(t *testing.T) {
	file := "/" + filepath.Join(t.TempDir(), "monitor.db")
	if err := Migrate(t.Context(), openDSN(t, WriterDSN(file))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("got %v, want the file by its name", err)
	}
}

func TestReaderDSN_CannotWrite(t *testing.T) {
	_, file := migrated(t)
	reader := openDSN(t, ReaderDSN(file))
	for _, statement := range []string{
		`INSERT INTO meta VALUES ('a', 'b')`, `DELETE FROM snapshots`, `CREATE TABLE x (y)`, `DROP TABLE meta`, `PRAGMA user_version = 9`,
		`PRAGMA query_only = 0; INSERT INTO meta VALUES ('a', 'b')`, `VACUUM`,
	} {
		if _, err := reader.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: got no error", statement)
		}
	}
	if got := value[int](t, reader, `SELECT count(*) FROM meta`); got != 0 {
		t.Errorf("got %d rows, want none", got)
	}
}

func TestDSN_ReadersDoNotCreate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.db")
	for name, dsn := range map[string]string{"reader": ReaderDSN(file), "copier": CopierDSN(file)} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open("sqlite", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.PingContext(t.Context()); err == nil {
				t.Error("got no error")
			}
			if _, err := os.Stat(file); err == nil {
				t.Error("the file was created")
			}
		})
	}
}

func TestCopierDSN(t *testing.T) {
	conn, file := migrated(t)
	insert(t, conn, "meta", map[string]any{"key": "k", "value": "v"})
	copied := filepath.Join(t.TempDir(), "copy.db")
	run(t, openDSN(t, CopierDSN(file)), `VACUUM INTO ?`, copied)
	if got := value[string](t, openDSN(t, ReaderDSN(copied)), `SELECT value FROM meta WHERE key = 'k'`); got != "v" {
		t.Errorf("got %q, want %q", got, "v")
	}
}

func TestUnits(t *testing.T) {
	const wall = 1_795_400_123_456_789_012
	ts := Timestamp(wall)
	if math.Abs(ts-1_795_400_123.456789) > 1e-6 {
		t.Errorf("Timestamp: got %f, want 1795400123.456789", ts)
	}
	back := Time(ts)
	if d := back.Sub(time.Unix(0, wall)); d.Abs() > time.Microsecond || back.Location() != time.UTC {
		t.Errorf("Time: got %v, want %v to the microsecond, in UTC", back, time.Unix(0, wall).UTC())
	}
	for kib, want := range map[int64]float64{0: 0, 1: 1.0 / 1024, 1536: 1.5, 16_307_128: 15924.9296875} {
		if got := MiB(kib); got != want {
			t.Errorf("MiB(%d): got %v, want %v", kib, got, want)
		}
	}
}
