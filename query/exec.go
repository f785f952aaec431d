package query

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
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
	Fleet      bool    `json:"fleet,omitzero"` // the job is one of the fleet, and not the host's own
	Sheet      *int64  `json:"sheet_num"`
	UID        *int64  `json:"uid"`     // after the exec
	Command    *string `json:"command"` // the new command line; nil when it could not be read in time
	StartTicks int64   `json:"start_ticks"`
	Source     string  `json:"source"`
}

// execType is the event_type of every exec.
const execType = "exec"

// Execs returns the execs of a range, in its order. Of the filter it takes what an exec has.
func Execs(ctx context.Context, db *DB, f Filter) ([]Exec, error) {
	execs, err := readExecs(ctx, db, f)
	if err != nil {
		return nil, fmt.Errorf("read execs: %w", err)
	}
	return ordered(execs, f.Range), nil
}

// ExecSeq yields what [Execs] returns, page by page: its memory does not grow with the range.
func ExecSeq(ctx context.Context, db *DB, f Filter) iter.Seq2[Exec, error] {
	return listing[Exec]{
		read: func(ctx context.Context, db *DB, r Range) ([]Exec, error) {
			f.Range = r
			return Execs(ctx, db, f)
		},
		position: func(e *Exec) position { return e.position() },
	}.items(ctx, db, f.Range)
}

// Cursor is the exec's place in a listing.
func (e Exec) Cursor() Cursor { return e.position().cursor() }

func (e *Exec) position() position { return position{at: e.Timestamp, kind: ofRows, id: e.ID} }

// readExecs reads a page of execs in the order in which they are searched.
func readExecs(ctx context.Context, db *DB, f Filter) ([]Exec, error) {
	if f.Limit == 0 || !f.sparse() {
		return readExecRows(ctx, db, f)
	}
	return readSlices(ctx, db, "process_execs", f.Range, func(r Range) ([]Exec, error) {
		f.Range = r
		return readExecRows(ctx, db, f)
	})
}

func readExecRows(ctx context.Context, db *DB, f Filter) ([]Exec, error) {
	on, args := f.conditions(false)
	query, of := f.Range.page(ofRows, `SELECT t.id, t.timestamp, h.name, pid, job_id, fleet, sheet_num, uid, command, start_ticks, source
		FROM process_execs t JOIN hosts h ON h.id = t.host_id`+on)
	return collect(ctx, db, query, append(args, of...), func(r *sql.Rows, e *Exec) error {
		e.Type = execType
		return r.Scan(&e.ID, &e.Timestamp, &e.Host, &e.PID, &e.JobID, &e.Fleet, &e.Sheet, &e.UID, &e.Command, &e.StartTicks, &e.Source)
	})
}
