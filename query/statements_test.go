package query

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite"
)

// Statements that come again answer as they did the first time: with other arguments, inside the rows of one another, after more texts than
// are kept, and when the table has got another column meanwhile.
func TestStatements_AreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	write, err := sql.Open("sqlite", path)
	must(t, err)
	defer write.Close()
	_, err = write.ExecContext(t.Context(), `PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	must(t, err)
	db := sql.OpenDB(keepingConnector{connector(path), new(atomic.Int64)})
	defer db.Close()
	db.SetMaxOpenConns(1)
	const one = `SELECT v FROM t WHERE id = ?`
	ask := func(from interface {
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}, id int64, want string) {
		t.Helper()
		var got string
		if err := from.QueryRowContext(t.Context(), one, id).Scan(&got); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for range 3 {
		ask(db, 1, "a")
		ask(db, 3, "c")
	}
	if n := kept(t, db, one); n != 1 {
		t.Errorf("the statement is kept %d times, want once", n)
	}

	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	rows, err := tx.QueryContext(t.Context(), one, 2)
	must(t, err)
	if !rows.Next() {
		t.Fatal("got no row")
	}
	ask(tx, 1, "a") // the kept statement is busy
	var v string
	must(t, rows.Scan(&v))
	if v != "b" || rows.Next() {
		t.Errorf("got %q and more, want b alone", v)
	}
	must(t, rows.Close())
	must(t, tx.Rollback())

	for i := range 2 * mostStatements {
		if _, err := db.ExecContext(t.Context(), `SELECT 1`); err != nil {
			t.Fatal(err)
		}
		var n int
		must(t, db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT %d`, i)).Scan(&n))
	}
	ask(db, 1, "a")
	ask(db, 2, "b")
	_, err = write.ExecContext(t.Context(), `ALTER TABLE t ADD COLUMN w TEXT; UPDATE t SET v = 'z' WHERE id = 2`)
	must(t, err)
	ask(db, 2, "z")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.QueryRowContext(ctx, one, 1).Scan(&v); err == nil {
		t.Error("got an answer after the context had ended")
	}
	ask(db, 1, "a")
}

// kept is how many statements of a text the one connection keeps.
func kept(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	must(t, conn.Raw(func(c any) error {
		if c.(*keepingConn).kept[query] != nil {
			n++
		}
		return nil
	}))
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
