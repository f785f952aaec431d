package projector

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// The names of our virtual tables' modules.
const (
	samplesModule   = "proctape_samples"
	processesModule = "proctape_processes"
	eventsModule    = "proctape_events"
)

// store is the database's one writer: one connection, held for ever, never cancelled.
type store struct {
	path      string
	lock      *lockfile.Lock
	db        *sql.DB
	conn      *sql.Conn
	samples   *batchTable
	processes *batchTable
	events    *batchTable
	stmts     map[string]*sql.Stmt
	within    bool   // a transaction is under way
	failed    error  // why it cannot be committed
	id        string // of the database, random, for ever
	file      string // names the file that was opened
}

// background is the context of every statement of the writer: cancelling one would throw the connection away.
var background = context.Background()

// FilesLock is the file whose lock says who writes the NDJSON files in dir.
func FilesLock(dir string) string { return filepath.Join(dir, "ndjson.lock") }

// LockPath is the file whose lock says who writes the database at path.
func LockPath(path string) string { return path + ".lock" }

// openStore locks the database at path, opens it, and brings its tables up to date. A database that another
// process writes is a *[lockfile.HeldError].
func openStore(path string) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the database's folder: %w", err)
	}
	lock, err := lockfile.Acquire(LockPath(path))
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	s := &store{path: path, lock: lock, stmts: map[string]*sql.Stmt{},
		samples: &batchTable{columns: sampleColumns}, events: &batchTable{columns: eventColumns}, processes: &batchTable{columns: processColumns}}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.close())
	}
	return s, nil
}

func (s *store) open() error {
	// SQLite gives its other files the mode of this one.
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil { // before SQLite opens it: closing later would drop SQLite's locks
		return err
	}
	var d sqlite.Driver
	if err := errors.Join(d.RegisterModule(samplesModule, s.samples), d.RegisterModule(processesModule, s.processes),
		d.RegisterModule(eventsModule, s.events)); err != nil {
		return err
	}
	s.db = sql.OpenDB(connector{&d, schema.WriterDSN(s.path)})
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(background); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if err := schema.Migrate(background, s.conn); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(background, `CREATE VIRTUAL TABLE temp.new_samples USING `+samplesModule+`;
		CREATE VIRTUAL TABLE temp.new_events USING `+eventsModule+`;
		CREATE VIRTUAL TABLE temp.touched USING `+processesModule); err != nil {
		return err
	}
	return s.loadID()
}

// check looks at the journal mode, which a file system without shared memory refuses in silence.
func (s *store) check() error {
	var mode string
	if err := s.conn.QueryRowContext(background, `PRAGMA journal_mode`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("journal mode is %s, want wal: is the file system a network one?", mode)
	}
	return nil
}

// loadID reads the database's id, or draws it when the database is new. A copy draws one of its own: its durable is the
// original's, and two readers of one durable would each get half of the messages.
func (s *store) loadID() error {
	file, err := fileID(s.path)
	if err != nil {
		return err
	}
	s.file = file
	var random [8]byte
	rand.Read(random[:])
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM meta WHERE key = 'database_id' AND EXISTS (SELECT 1 FROM meta WHERE key = 'database_file' AND value != ?)`, []any{file}},
		{`INSERT OR IGNORE INTO meta(key, value) VALUES ('database_id', ?)`, []any{hex.EncodeToString(random[:])}},
		{`INSERT INTO meta(key, value) VALUES ('database_file', ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value`, []any{file}},
	} {
		if _, err := s.conn.ExecContext(background, step.query, step.args...); err != nil {
			return err
		}
	}
	return s.conn.QueryRowContext(background, `SELECT value FROM meta WHERE key = 'database_id'`).Scan(&s.id)
}

// inPlace checks that the database is still the file at its path. One that was removed or replaced takes all that is
// written with it; opening the path again makes a new one, and folds the log into it.
func (s *store) inPlace() error {
	if file, err := fileID(s.path); err != nil {
		return fmt.Errorf("the database was removed: %w", err)
	} else if file != s.file {
		return fmt.Errorf("the database %s was replaced by another file", s.path)
	}
	return nil
}

// fileID names a file as no copy of it can be named: by its device and inode.
func fileID(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), nil
}

// beginReplay marks the database as a replay that is not finished, or finds that it is one. Any other database
// that holds something is [ErrNotFresh].
func (s *store) beginReplay() error {
	var marks, checkpoints int
	err := s.conn.QueryRowContext(background, `SELECT (SELECT count(*) FROM meta WHERE key='replay' AND value='unfinished'),
		(SELECT count(*) FROM checkpoints)`).Scan(&marks, &checkpoints)
	switch {
	case err != nil:
		return err
	case marks == 0 && checkpoints > 0:
		return fmt.Errorf("replay into %s: %w", s.path, ErrNotFresh)
	}
	if _, err = s.exec(`INSERT INTO meta(key, value) VALUES ('replay', 'unfinished') ON CONFLICT(key) DO NOTHING`); err != nil {
		return err
	}
	// A power cut costs no more than the last transactions, which the log still has: it does not wait for the disk.
	_, err = s.conn.ExecContext(background, `PRAGMA synchronous=NORMAL`)
	return err
}

// endReplay marks the replay as finished, and returns when all of it is on disk.
func (s *store) endReplay() error {
	if _, err := s.conn.ExecContext(background, `PRAGMA synchronous=FULL`); err != nil {
		return err
	}
	_, err := s.exec(`UPDATE meta SET value='finished' WHERE key='replay'`)
	return err
}

// The write-ahead log is reset when no reader is in the way. A reader that lingers lets it grow; from walTrim on
// the writer asks for the reset at every commit, and from walStop on it waits: the messages are as safe in the log.
const (
	walTrim = 32 << 20
	walStop = 52 << 20 // and one transaction stays below 64 MiB
)

// walSize is the size of the write-ahead log.
func (s *store) walSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// trimWAL writes the write-ahead log back and cuts it, if the readers let it within a tenth of a second. It reports
// whether the log is short again.
func (s *store) trimWAL() (bool, error) {
	if _, err := s.conn.ExecContext(background, `PRAGMA busy_timeout=100`); err != nil {
		return false, err
	}
	var busy, frames, done int
	err := s.conn.QueryRowContext(background, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &done)
	if _, restore := s.conn.ExecContext(background, `PRAGMA busy_timeout=5000`); restore != nil {
		return false, restore
	}
	return busy == 0, err
}

// exec runs a statement, prepared at its first use. After one that failed, no other of its transaction runs: SQLite
// may have rolled back by itself, as it does when the disk is full, and what followed would stand alone.
func (s *store) exec(query string, args ...any) (sql.Result, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	res, err := s.run(query, args)
	if s.within {
		s.failed = err
	}
	return res, err
}

func (s *store) run(query string, args []any) (sql.Result, error) {
	stmt, err := s.prepared(query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(background, args...)
}

// prepared is the statement of a query, prepared at its first use.
func (s *store) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(background, query)
	if err == nil {
		s.stmts[query] = stmt
	}
	return stmt, err
}

// query runs a query of which each row is passed to scan.
func (s *store) query(query string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := s.conn.QueryContext(background, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

// lookup is query, of a statement that is asked often and stays prepared.
func (s *store) lookup(query string, scan func(*sql.Rows) error, args ...any) error {
	stmt, err := s.prepared(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(background, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

func eachRow(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// transact runs f in a transaction. SQLite waits at BEGIN IMMEDIATE for whoever writes, and never later.
func (s *store) transact(f func() error) error {
	if _, err := s.exec(`BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	s.within = true
	err := f()
	err = cmp.Or(err, s.failed)
	s.within, s.failed = false, nil
	if err == nil {
		if _, err = s.exec(`COMMIT`); err == nil {
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	s.exec(`ROLLBACK`) // fails when the failed statement has rolled back itself
	return err
}

// insertSamples inserts the rows, which rise by primary key.
func (s *store) insertSamples(rows []sample) error {
	return s.execBatch(s.samples, len(rows), func(row, col int) vtab.Value { return rows[row].column(col) },
		`INSERT OR ROLLBACK INTO samples(`+sampleColumns+`) SELECT `+sampleColumns+` FROM temp.new_samples`)
}

// insertEvents inserts the rows.
func (s *store) insertEvents(rows []eventRow) error {
	return s.execBatch(s.events, len(rows), func(row, col int) vtab.Value { return rows[row].column(col) },
		`INSERT OR ROLLBACK INTO process_events(`+eventColumns+`) SELECT `+eventColumns+` FROM temp.new_events`)
}

// insertProcesses inserts rows, whose ids rise.
func (s *store) insertProcesses(rows []*process) error {
	return s.writeProcesses(rows, `INSERT OR ROLLBACK INTO processes(`+processColumns+`) SELECT `+processColumns+` FROM temp.touched`)
}

const setPeaks = `cpu_ms=t.cpu_ms, max_cpu_permille=t.max_cpu_permille, peak_rss_kib=t.peak_rss_kib, read_kib=t.read_kib,
	write_kib=t.write_kib`

// growProcesses writes what grows of rows that stay open. It leaves the columns alone that are in an index.
func (s *store) growProcesses(rows []*process) error {
	return s.writeProcesses(rows, `UPDATE OR ROLLBACK processes SET `+setPeaks+` FROM temp.touched t WHERE processes.id=t.id`)
}

// closeProcesses writes all that may change of a row.
func (s *store) closeProcesses(rows []*process) error {
	return s.writeProcesses(rows, `UPDATE OR ROLLBACK processes SET last_snapshot=t.last_snapshot, ended=t.ended,
		ended_boot_ns=t.ended_boot_ns, `+setPeaks+` FROM temp.touched t WHERE processes.id=t.id`)
}

func (s *store) writeProcesses(rows []*process, query string) error {
	return s.execBatch(s.processes, len(rows), func(row, col int) vtab.Value { return rows[row].column(col) }, query)
}

// execBatch runs a statement that reads rows from a table of ours.
func (s *store) execBatch(t *batchTable, rows int, value func(row, col int) vtab.Value, query string) error {
	if rows == 0 {
		return nil
	}
	t.rows, t.value = rows, value
	defer func() { t.rows, t.value = 0, nil }()
	_, err := s.exec(query)
	return err
}

// verdict is what SQLite's own check of the whole file finds: "ok", or what is wrong with it. It changes nothing.
func (s *store) verdict() (string, error) {
	var v string
	err := s.conn.QueryRowContext(background, `PRAGMA integrity_check(1)`).Scan(&v)
	return v, err
}

func (s *store) close() error {
	var errs []error
	for _, stmt := range s.stmts {
		errs = append(errs, stmt.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(append(errs, s.lock.Release())...)
}

// connector opens connections with a driver of its own, so that no two stores of a process share a module.
type connector struct {
	driver *sqlite.Driver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }
