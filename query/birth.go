package query

import (
	"context"
	"database/sql"
)

// Ancestor is a process that another was born of, whether it still lives or not.
type Ancestor struct {
	PID        int64   `json:"pid"`
	StartTicks *int64  `json:"start_ticks"` // nil when nothing is recorded of it
	Command    string  `json:"command"`
	PPID       *int64  `json:"ppid"` // at its birth
	JobID      *string `json:"job_id"`
}

// births reads who bore whom.
type births struct {
	db     *DB
	hostID int64
	bootID string
}

// parentOf is the pid of the parent at the birth of a process: what its start says, else its first description. Nil when neither is
// recorded.
func (b births) parentOf(ctx context.Context, pid, start int64) (*int64, error) {
	var ppid *int64
	err := each(ctx, b.db.db, `SELECT ppid FROM (
		SELECT ppid, 0 AS rank, 0 AS first FROM process_events t WHERE pid = ?1 AND event_type = 'spawn' AND start_ticks = ?2 AND host_id = ?3 AND boot_id = ?4
		UNION ALL SELECT ppid, 1, first_snapshot FROM processes p WHERE pid = ?1 AND start_ticks = ?2 AND host_id = ?3 AND boot_id = ?4
		UNION ALL SELECT ppid, 2, last_hour FROM rollup_processes p WHERE pid = ?1 AND start_ticks = ?2 AND host_id = ?3 AND boot_id = ?4)
		WHERE ppid IS NOT NULL ORDER BY rank, first LIMIT 1`, []any{pid, start, b.hostID, b.bootID}, func(r *sql.Rows) error { return r.Scan(&ppid) })
	return ppid, err
}

// bearer is the process that had a pid when another started. It lives no more, or has another description now. With nothing recorded of
// it, it is a pid alone.
func (b births) bearer(ctx context.Context, pid, childStart int64) (*Ancestor, error) {
	a := &Ancestor{PID: pid}
	err := each(ctx, b.db.db, `SELECT start_ticks, command, job_id FROM (
		SELECT start_ticks, coalesce(command, '') AS command, job_id, 1 AS rank, first_snapshot AS first FROM processes p
			WHERE pid = ?1 AND start_ticks <= ?2 AND host_id = ?3 AND boot_id = ?4
		UNION ALL SELECT start_ticks, coalesce(command, ''), job_id, 0, id FROM process_events t
			WHERE pid = ?1 AND start_ticks <= ?2 AND start_ticks > 0 AND host_id = ?3 AND boot_id = ?4)
		ORDER BY start_ticks DESC, rank DESC, first DESC LIMIT 1`, []any{pid, childStart, b.hostID, b.bootID}, func(r *sql.Rows) error {
		return r.Scan(&a.StartTicks, &a.Command, &a.JobID)
	})
	if err != nil || a.StartTicks == nil {
		return a, err
	}
	a.PPID, err = b.parentOf(ctx, pid, *a.StartTicks)
	return a, err
}
