package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// background is the context of every statement of the writer: cancelling one would throw the connection away.
var background = context.Background()

// statements runs statements on the writer's connection, and knows whether a transaction is under way.
type statements struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	within   bool  // a transaction is under way
	failed   error // why it cannot be committed
}

func newStatements(conn *sql.Conn) *statements {
	return &statements{conn: conn, prepared: map[string]*sql.Stmt{}}
}

// transact runs f in a transaction. SQLite waits at BEGIN IMMEDIATE for whoever writes, and never later.
func (s *statements) transact(f func() error) error {
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

// exec runs a statement, prepared at its first use. After a statement that failed, no other of its transaction runs:
// SQLite may have rolled back by itself, as it does when the disk is full, and what followed would stand alone.
func (s *statements) exec(query string, args ...any) (sql.Result, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	res, err := s.run(query, args)
	if s.within {
		s.failed = err
	}
	return res, err
}

func (s *statements) run(query string, args []any) (sql.Result, error) {
	stmt, err := s.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(background, args...)
}

// prepare returns the statement of a query, prepared at its first use.
func (s *statements) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(background, query)
	if err == nil {
		s.prepared[query] = stmt
	}
	return stmt, err
}

// Query runs a query on the writer's connection and passes each row to scan. Within a transaction it sees what the
// transaction has written.
func (s *statements) Query(query string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := s.conn.QueryContext(background, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

// lookup is Query with a statement that is asked often and stays prepared.
func (s *statements) lookup(query string, scan func(*sql.Rows) error, args ...any) error {
	stmt, err := s.prepare(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(background, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

// Tables reads the database on the writer's connection.
type Tables struct{ *statements }

func eachRow(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *statements) close() error {
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}
