package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// EventFilter picks events. The zero filter picks all.
type EventFilter struct {
	Range
	Types []string // event types, such as "exit"; empty for all
	Job   string   // empty for all jobs
	PID   int64    // 0 for all pids
}

// Events returns the events of a range, oldest first.
func Events(ctx context.Context, db *DB, f EventFilter) ([]Event, error) {
	query, args := f.Range.page(`SELECT t.id, t.timestamp, h.name, pid, event_type, exit_code, signal_num, job_id, sheet_num,
		coalesce(details,''), ppid, coalesce(command,''), start_ticks, cpu_ms/1000.0, peak_rss_kib/1024.0, lifetime_ms/1000.0, source
		FROM process_events t JOIN hosts h ON h.id = t.host_id` + f.join())
	args = append(f.args(), args...)
	events, err := collect(ctx, db, query, args, func(r *sql.Rows, e *Event) error {
		return r.Scan(&e.ID, &e.Timestamp, &e.Host, &e.PID, &e.Type, &e.ExitCode, &e.Signal, &e.JobID, &e.Sheet, &e.Details,
			&e.PPID, &e.Command, &e.StartTicks, &e.CPUSeconds, &e.PeakRSS, &e.Lifetime, &e.Source)
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if f.Newest {
		slices.Reverse(events)
	}
	return events, nil
}

// join is the part of the filter that stands before the range's WHERE, with the values of args.
func (f EventFilter) join() string {
	var on string
	if len(f.Types) > 0 {
		on += ` AND t.event_type IN (` + placeholders(len(f.Types)) + `)`
	}
	if f.Job != "" {
		on += ` AND t.job_id = ?`
	}
	if f.PID != 0 {
		on += ` AND t.pid = ?`
	}
	return on
}

func (f EventFilter) args() []any {
	var args []any
	for _, t := range f.Types {
		args = append(args, t)
	}
	if f.Job != "" {
		args = append(args, f.Job)
	}
	if f.PID != 0 {
		args = append(args, f.PID)
	}
	return args
}

// EventCounts counts the events of a job since a time in Unix seconds, by type. A type without events is not in it.
func EventCounts(ctx context.Context, db *DB, job string, since float64) (map[string]int64, error) {
	counts := map[string]int64{}
	err := each(ctx, db.db, `SELECT event_type, count(*) FROM process_events WHERE job_id = ? AND timestamp >= ? GROUP BY event_type`,
		[]any{job, since}, func(rows *sql.Rows) error {
			var name string
			var n int64
			if err := rows.Scan(&name, &n); err != nil {
				return err
			}
			counts[name] = n
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("count the events of job %q: %w", job, err)
	}
	return counts, nil
}
