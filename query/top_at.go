package query

import (
	"context"
	"fmt"
	"math"
)

// TopAt returns who uses most at a time: of each host, what was used between its newest snapshot that is not after that time and the
// one before it, and the memory of the newest. Its times are of these snapshots. Of a time that has left full
// resolution it is of the minute that the time is in.
func TopAt(ctx context.Context, db *DB, at float64, q TopQuery) (*Top, error) {
	moments, err := momentsAt(ctx, db, at, q.Host)
	if err != nil {
		return nil, fmt.Errorf("read who uses most: %w", err)
	}
	q.Since, q.Until = at, at
	for i := range moments {
		m := &moments[i]
		begin, end := m.Timestamp, m.Timestamp+m.Resolution
		if m.Resolution == 0 {
			if begin, err = snapshotBefore(ctx, db, &m.Snapshot); err != nil {
				return nil, fmt.Errorf("read who uses most: %w", err)
			}
		}
		q.Since, q.Until = min(q.Since, begin), min(q.Until, end)
		if i == 0 || q.Until < end {
			q.Until = end
		}
	}
	asked := q.Until
	q.Until = math.Nextafter(q.Until, math.Inf(1))
	t, err := topWithoutCoverage(ctx, db, q)
	if err != nil {
		return nil, err
	}
	t.To = asked
	t.Coverage, err = HostCoverage(ctx, db, Range{Since: min(q.Since, at-moment), Until: at, Host: q.Host})
	return t, err
}

// snapshotBefore is the time just after the snapshot of a host before one; when there is none, a second before it.
func snapshotBefore(ctx context.Context, db *DB, s *Snapshot) (float64, error) {
	var before float64
	err := db.db.QueryRowContext(ctx, `SELECT coalesce((SELECT timestamp FROM snapshots WHERE host_id = ? AND id < ? ORDER BY id DESC LIMIT 1), ?)`,
		s.hostID, s.ID, s.Timestamp-1).Scan(&before)
	return math.Nextafter(min(before, s.Timestamp), math.Inf(1)), err
}
