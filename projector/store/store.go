// Package store is the database of the projector: it opens the SQLite file, of which it is the only writer, reads what
// the fold asks for, and writes what the fold has made, a batch at a time, in one transaction.
//
// One goroutine uses a [Store]. Other connections may read the file meanwhile; they see the last commit.
package store

import (
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

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/lockfile"
)

// SQLite's locks are to outlast another reading of its file: [proof.Sums] reads it, and closes it.
func init() { _, _ = sqlite.OFDLocking(true) }

// Store is the one writer of a database: one connection, held until Close and never cancelled.
type Store struct {
	path string
	lock *lockfile.Lock
	db   *sql.DB
	*statements
	*prover
	bulk      bulkTables
	described *descriptions
	id        string // of the database, random, for ever
	file      string // device and inode of the file that was opened
}

// Open locks the database at path, opens it, and brings its tables up to date. The folder of the database is made, with
// mode 0700, when there is none. A database that another process writes is a *[lockfile.HeldError]. The caller closes
// the store.
func Open(path string) (*Store, error) {
	if err := filecheck.Way(path); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the database's folder: %w", err)
	}
	lock, err := lockfile.Acquire(lockfile.DatabasePath(path))
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	s := &Store{path: path, lock: lock, bulk: newBulkTables(), described: newDescriptions()}
	if err := s.open(); err != nil {
		if s.prover != nil {
			s.prover.failed = true
		}
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) open() error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := filecheck.File(s.path + suffix); err != nil {
			return err
		}
	}
	// SQLite gives its other files the mode of this one.
	f, err := filecheck.Create(s.path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil { // before SQLite opens it: closing later would drop SQLite's locks
		return err
	}
	if s.prover, err = openProver(s.path); err != nil {
		return err
	}
	return s.prover.classify(s.connect())
}

// connect opens the one connection, and brings the tables up to date.
func (s *Store) connect() error {
	var d sqlite.Driver
	if err := s.bulk.register(&d); err != nil {
		return err
	}
	s.db = sql.OpenDB(connector{&d, schema.WriterDSN(s.path)})
	s.db.SetMaxOpenConns(1)
	conn, err := s.db.Conn(background)
	if err != nil {
		return err
	}
	s.statements = newStatements(conn)
	if err := s.requireWAL(); err != nil {
		return err
	}
	if err := s.prover.begin(s.statements); err != nil {
		return err
	}
	if err := schema.Migrate(background, conn); err != nil {
		return err
	}
	if err := s.bulk.create(conn); err != nil {
		return err
	}
	if err := s.loadID(); err != nil {
		return err
	}
	return s.prover.committed()
}

// requireWAL checks the journal mode. A file system without shared memory refuses the mode without an error.
func (s *Store) requireWAL() error {
	var mode string
	if err := s.conn.QueryRowContext(background, `PRAGMA journal_mode`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("journal mode is %s, want wal: is the file system a network one?", mode)
	}
	return nil
}

// loadID reads the database's id, or draws one when the database is new. A copy of a database draws an id of its own:
// the original owns the durable consumer, and two readers of one durable would each get half of the messages.
func (s *Store) loadID() error {
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

// Tables returns what can be read of the database.
func (s *Store) Tables() Tables { return Tables{s.statements} }

// ID returns the database's id: 16 hexadecimal digits, drawn when the database was made.
func (s *Store) ID() string { return s.id }

// CheckFile returns an error when the file at the database's path is no longer the file that was opened. What is written
// to a removed file is lost with it; opening the path again makes a new database, into which the log is folded.
func (s *Store) CheckFile() error {
	if file, err := fileID(s.path); err != nil {
		return fmt.Errorf("the database was removed: %w", err)
	} else if file != s.file {
		return fmt.Errorf("the database %s was replaced by another file", s.path)
	}
	return nil
}

// fileID names a file by its device and inode, which no copy has.
func fileID(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), nil
}

// LimitCache bounds the pages that a database's connection keeps in memory, in bytes.
func LimitCache(s *Store, bytes int64) error {
	if _, err := s.conn.ExecContext(background, fmt.Sprintf(`PRAGMA cache_size=-%d`, max(bytes>>10, 1))); err != nil {
		return fmt.Errorf("bound the database's memory: %w", err)
	}
	return nil
}

// Close closes the connection and releases the lock.
func (s *Store) Close() error {
	var errs []error
	if s.prover != nil && s.prover.failed {
		reader := openBeside(s.path)
		defer reader.Close()
	}
	if s.statements != nil {
		errs = append(errs, s.prover.end(), s.statements.close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(append(errs, s.prover.close(), s.lock.Release())...)
}

// openBeside opens a reader. While it is there, SQLite does not write the write-ahead log back when the writer closes, and a reader
// cannot when it closes itself. Where it cannot read, SQLite does what it does.
func openBeside(path string) *sql.DB {
	db := sql.OpenDB(connector{new(sqlite.Driver), schema.ReaderDSN(path)})
	db.SetMaxOpenConns(1)
	var tables int
	_ = db.QueryRowContext(background, `SELECT count(*) FROM sqlite_master`).Scan(&tables)
	return db
}

// connector opens connections with a driver of its own, so that no two stores of a process share a module.
type connector struct {
	driver *sqlite.Driver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }
