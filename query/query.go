// Package query answers questions about what was recorded: a database goes in, plain values come out. [Open] opens the
// database; each question is a function that takes it, such as [Jobs] or [Gaps]. Packages below it make reports, verify
// databases, and follow the log.
//
// It only reads. Every read is one statement or a few short ones, so that no reader holds a transaction long enough
// to keep the writer's log from being reset.
package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite" // the driver "sqlite"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
)

// ErrNoDatabase is returned by Open when there is no database at the path.
var ErrNoDatabase = errors.New("no such database")

// SQLite's locks are to outlast another reading of its file, as [Proof] does.
func init() { _, _ = sqlite.OFDLocking(true) }

// DB is a database opened for reading. Any number of goroutines may use it, and every function that takes it. Close it.
type DB struct {
	db        *sql.DB
	cache     *atomic.Int64 // bytes of pages that a connection keeps; 0 for as many as a reader does
	path      string
	elsewhere *Elsewhere // nil for a file here
	parts     []*DB      // several that answer as one; nil for one
	connector driver.Connector
	// goesOn says that its tables tell which snapshots go on from the one before, with the indexes by which those that do not are found.
	goesOn bool

	sums     cpuSums
	covers   *keptValues // coverages; nil where none are kept
	guarding sync.Mutex
	guarded  *sql.DB // for statements of others; nil until there is one
}

// Open opens the database at path read-only. It returns [ErrNoDatabase] when there is no file, and another error when the
// file is not a database, not one of ours, or one of a later version.
func Open(ctx context.Context, path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoDatabase, path)
	} else if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := filecheck.Database(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &DB{cache: new(atomic.Int64), path: path}
	if err := d.connect(ctx, connector(path)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return d, nil
}

// connect opens connections, and checks what they lead to. A database of an older build gets what it lacks.
func (d *DB) connect(ctx context.Context, to driver.Connector) error {
	d.connector = to
	if d.cache != nil {
		to = keepingConnector{to, d.cache}
	}
	d.db = sql.OpenDB(to)
	bound(d.db)
	older, err := checkRecording(ctx, d)
	if err == nil && !older {
		return nil
	}
	var lacks []string
	if err == nil {
		lacks, err = completion(ctx, d.db)
	}
	if err := errors.Join(err, d.db.Close()); err != nil {
		return err
	}
	d.connector = completingConnector{d.connector, lacks}
	if to = d.connector; d.cache != nil {
		to = keepingConnector{to, d.cache}
	}
	d.db = sql.OpenDB(to)
	bound(d.db)
	return nil
}

// LimitCache bounds the pages that each connection keeps in memory, in bytes, of the connections that are opened from now on; those that nobody uses are closed. A
// database elsewhere has none.
func (d *DB) LimitCache(bytes int64) {
	if d.cache != nil {
		d.cache.Store(bytes)
		d.db.SetMaxIdleConns(0)
		d.db.SetMaxIdleConns(idleConnections)
	}
}

// KeepCoverages has coverages kept while what they are made of stays the same: for who asks again and again about the same ranges. It is for before the first question.
func (d *DB) KeepCoverages() { d.covers = &keptValues{} }

const mostConnections, idleConnections = 4, 2

// bound bounds the connections to a database.
func bound(db *sql.DB) {
	db.SetMaxOpenConns(mostConnections)
	db.SetMaxIdleConns(idleConnections)
	db.SetConnMaxLifetime(10 * time.Second) // a database that was damaged is made anew in another file at the path; a recorder may begin
}

// OpenElsewhere returns a database elsewhere as one that every function of this library reads. It has no path.
// What several statements of a function read need not be of one moment.
func OpenElsewhere(ctx context.Context, e Elsewhere) (*DB, error) {
	d := &DB{db: e.DB, elsewhere: &e}
	if _, err := checkRecording(ctx, d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// goesOnSince is the version of the tables that tell which snapshots go on.
const goesOnSince = 12

// checkRecording refuses a file that is not a database of ours, or one of a later version. It reports whether it is one of an older build, which is to
// be completed: the view of metrics is another than this build's where it lacks one.
func checkRecording(ctx context.Context, db *DB) (older bool, err error) {
	var tables int
	var view sql.Null[string]
	err = db.db.QueryRowContext(ctx, `SELECT count(*), max(CASE name WHEN 'process_metrics' THEN sql END) FROM sqlite_master WHERE name IN ('snapshots', 'process_metrics', 'checkpoints')`).Scan(&tables, &view)
	if err != nil {
		return false, err
	}
	if tables != 3 {
		return false, errors.New("it holds no recording")
	}
	version, err := schema.CheckVersion(ctx, db.db)
	db.goesOn = version >= goesOnSince && db.elsewhere == nil && db.parts == nil
	return version >= oldestCompleted && (version < schema.TablesVersion() || view.V != schema.MetricsView()), err
}

// Path is the absolute path of the file that is read; empty for a database elsewhere, and for several.
func (d *DB) Path() string { return d.path }

// Handle is the database as database/sql has it, for questions that have no function here. It cannot write. A reader that
// holds a transaction for long keeps the writer's log from being reset. Close the DB, not the handle.
func (d *DB) Handle() *sql.DB { return d.db }

// CopyTo writes a copy of the database, as it is now, to a new file at path. It is an error when the file exists.
func (d *DB) CopyTo(ctx context.Context, path string) error {
	// SQLite refuses to copy through a handle that may not write, though the copy only reads.
	dsn, ok := schema.UnwritableCopierDSN(d.path)
	if !ok {
		dsn = schema.CopierDSN(d.path)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return fmt.Errorf("copy database %s: %w", d.path, err)
	}
	return nil
}

// Close closes the database.
func (d *DB) Close() error {
	d.guarding.Lock()
	defer d.guarding.Unlock()
	err := d.db.Close()
	if d.guarded != nil {
		err = errors.Join(err, d.guarded.Close())
	}
	if d.elsewhere != nil {
		d.elsewhere.Close()
	}
	for _, part := range d.parts {
		err = errors.Join(err, part.Close())
	}
	return err
}

// foreign is what statements of others run on.
func (d *DB) foreign() *sql.DB {
	d.guarding.Lock()
	defer d.guarding.Unlock()
	if d.guarded == nil {
		d.guarded = openForeign(d.connector)
	}
	return d.guarded
}

// each is [schema.EachRow].
func each(ctx context.Context, q schema.RowQuerier, query string, args []any, scan func(*sql.Rows) error) error {
	return schema.EachRow(ctx, q, query, scan, args...)
}

// view calls f with a transaction, in which the database does not change. f must be short: while it runs, the writer's log
// cannot be reset.
func view(ctx context.Context, db *DB, f func(*sql.Tx) error) error {
	tx, err := db.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // there is nothing to commit
	return f(tx)
}

// collect runs a query and makes a value of every row.
func collect[T any](ctx context.Context, db *DB, query string, args []any, scan func(*sql.Rows, *T) error) ([]T, error) {
	out := []T{}
	err := each(ctx, db.db, query, args, func(r *sql.Rows) error {
		var v T
		if err := scan(r, &v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// placeholders is n comma-separated parameters.
func placeholders(n int) string {
	b := make([]byte, 0, 2*n)
	for range n {
		b = append(b, '?', ',')
	}
	return string(b[:max(0, len(b)-1)])
}
