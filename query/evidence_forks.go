package query

import (
	"context"
	"database/sql"
	"fmt"
)

// mostForkHoles is for how many holes the kernel's count of starts is asked: each costs three statements.
const mostForkHoles = 100

// readForks reads how many processes and threads were started in holes of starts and ends and are not in the record: the kernel counts them,
// and snapshots tell its count.
func (e *evidence) readForks(ctx context.Context, db *DB, host int64) error {
	holes := joined(inside(e.holes(DataEvents), e.stretch))
	if len(holes) > mostForkHoles {
		return nil
	}
	for _, hole := range holes {
		n, err := forksIn(ctx, db, host, hole)
		if err != nil {
			return err
		}
		e.forks = plusCount(e.forks, n)
	}
	return nil
}

// forksIn is how many starts a hole hides; nil when that is not known.
func forksIn(ctx context.Context, db *DB, host int64, hole stretch) (*int64, error) {
	before, err := forksAt(ctx, db, host, `t.timestamp <= ?`, hole.from, `DESC`)
	if err != nil || before == nil {
		return nil, err
	}
	after, err := forksAt(ctx, db, host, `t.timestamp >= ?`, hole.to, ``)
	if err != nil || after == nil || before.boot != after.boot {
		return nil, err
	}
	var seen int64
	err = db.db.QueryRowContext(ctx, `SELECT count(*) FROM process_events t WHERE t.timestamp > ? AND t.timestamp <= ? AND +t.host_id = ? AND t.event_type = 'spawn'`,
		before.at, after.at, host).Scan(&seen)
	n := max(0, after.count-before.count-seen)
	return &n, err
}

// forkCount is the kernel's count of starts at a time.
type forkCount struct {
	boot  string
	at    float64
	count int64
}

// forksAt is the count of the first snapshot of a host that meets a condition; nil when there is none, or it tells none.
func forksAt(ctx context.Context, db *DB, host int64, condition string, at float64, order string) (count *forkCount, err error) {
	err = each(ctx, db.db, fmt.Sprintf(`SELECT t.timestamp, t.boot_id, json_extract(t.host_values, '$.forks') FROM snapshots t
		WHERE %s AND +t.host_id = ? ORDER BY t.timestamp %s LIMIT 1`, condition, order), []any{at, host}, func(r *sql.Rows) error {
		var c forkCount
		var n sql.Null[float64]
		err := r.Scan(&c.at, &c.boot, &n)
		if n.Valid {
			c.count = int64(n.V)
			count = &c
		}
		return err
	})
	return count, err
}
