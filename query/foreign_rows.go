package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// ErrNotARead is returned for a statement that does more than read rows.
var ErrNotARead = errors.New("only a statement that reads rows is answered")

// ForeignRows runs a statement that comes from elsewhere, and gives its rows to use. Whatever its text, it reads rows of the database and
// does nothing else: the file is opened read-only, and what is not a read is refused, with [ErrNotARead], when the statement is compiled.
// End ctx to end it early. An error of the statement is a [*StatementError].
func ForeignRows(ctx context.Context, d *DB, statement string, args []any, use func(*sql.Rows) error) error {
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
	var failed *sqlite.Error
	switch {
	case errors.As(err, &failed) && slices.Contains([]int{sqlitelib.SQLITE_AUTH, sqlitelib.SQLITE_READONLY}, failed.Code()&0xff):
		return ErrNotARead
	case err != nil && ctx.Err() == nil:
		return &StatementError{err}
	case err != nil:
		return err
	}
	defer rows.Close()
	return use(rows)
}

// StatementError says what is wrong with a statement.
type StatementError struct{ Err error }

func (e *StatementError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *StatementError) Unwrap() error { return e.Err }
