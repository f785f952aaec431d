package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Exec says that a process that was known began to execute another program. It is no [Event]: it counts in no job's
// figures.
type Exec struct {
	ID         int64   `json:"id,omitzero"` // row id; 0 when it comes from the log
	Timestamp  float64 `json:"timestamp"`   // Unix seconds
	Host       string  `json:"host"`
	PID        int64   `json:"pid"`
	Type       string  `json:"event_type"` // always exec
	JobID      *string `json:"job_id"`
	Sheet      *int64  `json:"sheet_num"`
	UID        *int64  `json:"uid"`     // after the exec
	Command    *string `json:"command"` // the new command line; nil when it could not be read in time
	StartTicks int64   `json:"start_ticks"`
	Source     string  `json:"source"`
}

// execType is the event_type of every exec.
const execType = "exec"

// ExecFilter picks execs. The zero filter picks all.
type ExecFilter struct {
	Range
	Job string // empty for all jobs
	PID int64  // 0 for all pids
}

// Execs returns the execs of a range, oldest first.
func Execs(ctx context.Context, db *DB, f ExecFilter) ([]Exec, error) {
	on := EventFilter{Job: f.Job, PID: f.PID}
	query, args := f.Range.page(`SELECT t.id, t.timestamp, h.name, pid, job_id, sheet_num, uid, command, start_ticks, source
		FROM process_execs t JOIN hosts h ON h.id = t.host_id` + on.join())
	execs, err := collect(ctx, db, query, append(on.args(), args...), func(r *sql.Rows, e *Exec) error {
		e.Type = execType
		return r.Scan(&e.ID, &e.Timestamp, &e.Host, &e.PID, &e.JobID, &e.Sheet, &e.UID, &e.Command, &e.StartTicks, &e.Source)
	})
	if err != nil {
		return nil, fmt.Errorf("read execs: %w", err)
	}
	if f.Newest {
		slices.Reverse(execs)
	}
	return execs, nil
}
