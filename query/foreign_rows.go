package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// ErrNotARead is returned for a statement that does more than read rows.
var ErrNotARead = errors.New("only a statement that reads rows is answered")

// ErrNotOne is returned for a text that is not one statement.
var ErrNotOne = errors.New("only one statement at a time is answered")

// ForeignRows runs a statement that comes from elsewhere, and gives its rows to use. Whatever its text, it reads rows of the database and
// does nothing else: the file is opened read-only, and what is not a read is refused, with [ErrNotARead], when the statement is compiled.
// A text of no statement or of several is refused with [ErrNotOne]. End ctx to end it early, between two rows too. An error of the statement is
// a [*StatementError]. A database elsewhere guards its own, by this function.
func ForeignRows(ctx context.Context, d *DB, statement string, args []any, use func(*sql.Rows) error) error {
	if StatementsIn(statement) != 1 {
		return ErrNotOne
	}
	if d.elsewhere != nil {
		rows, err := d.db.QueryContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return use(rows)
	}
	if d.parts != nil && hasWord(statement, "COLLATE") {
		return &StatementError{errors.New("several databases answer no statement with COLLATE: compare lower(a) with lower(b)")}
	}
	conn, err := d.foreign().Conn(ctx)
	if err != nil {
		return fmt.Errorf("read for somebody else: %w", err)
	}
	defer conn.Close()
	for limit, n := range map[int]int{sqlitelib.SQLITE_LIMIT_SQL_LENGTH: foreignText, sqlitelib.SQLITE_LIMIT_LENGTH: foreignValue, sqlitelib.SQLITE_LIMIT_ATTACHED: 0} {
		if _, err := sqlite.Limit(conn, limit, n); err != nil {
			return fmt.Errorf("read for somebody else: %w", err)
		}
	}
	rows, err := conn.QueryContext(ctx, statement, args...)
	if err = foreignError(ctx, err); err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotARead) {
		return &StatementError{err}
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	stop, err := interruptAtEnd(ctx, conn)
	if err != nil {
		return err
	}
	defer stop()
	return foreignError(ctx, use(rows))
}

// foreignError is the error of a statement, as who asked is told it.
func foreignError(ctx context.Context, err error) error {
	var failed *sqlite.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed) && (slices.Contains([]int{sqlitelib.SQLITE_AUTH, sqlitelib.SQLITE_READONLY}, failed.Code()&0xff) ||
		strings.Contains(failed.Error(), "not authorized to use function: ")): // which has no code of its own
		return ErrNotARead
	}
	return err
}

// StatementError says what is wrong with a statement.
type StatementError struct{ Err error }

func (e *StatementError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *StatementError) Unwrap() error { return e.Err }
