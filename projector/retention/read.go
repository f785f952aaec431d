package retention

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// eachReadable is each, and goes on behind a row that scan cannot read: the trouble is noted of the table.
func (p *pass) eachReadable(ctx context.Context, table, query string, scan func(*sql.Rows) error, args ...any) error {
	return schema.EachRow(ctx, p.read, query, func(rows *sql.Rows) error {
		if err := scan(rows); err != nil {
			p.troubles.note("table "+table, "rows cannot be read, and stay", "err", err)
		}
		return nil
	}, args...)
}

// isGeneral reports whether an error concerns all hosts, and not what one of them has in the tables: the database, the log, or the
// end of the pass. A page that is damaged is one of some rows.
func isGeneral(ctx context.Context, err error) bool {
	var database *sqlite.Error
	return ctx.Err() != nil || errors.Is(err, errLog) || errors.As(err, &database) && !store.IsCorrupt(err) || errors.Is(err, sql.ErrConnDone)
}

// errLog says that the log did not answer.
var errLog = errors.New("the log")
