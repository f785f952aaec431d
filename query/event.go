package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Event is one step in a process's life, with the contract's keys and ours beside them.
type Event struct {
	ID         int64    `json:"id,omitzero"` // row id; 0 when it comes from the log
	Timestamp  float64  `json:"timestamp"`   // Unix seconds
	Host       string   `json:"host"`
	PID        int64    `json:"pid"`
	Type       string   `json:"event_type"` // spawn, exit, signal, kill or oom
	ExitCode   *int64   `json:"exit_code"`
	Signal     *int64   `json:"signal_num"`
	JobID      *string  `json:"job_id"`
	Sheet      *int64   `json:"sheet_num"`
	Details    string   `json:"details"`
	PPID       *int64   `json:"ppid"`
	Command    string   `json:"command"`
	StartTicks int64    `json:"start_ticks"`
	CPUSeconds *float64 `json:"cpu_seconds"`
	PeakRSS    *float64 `json:"peak_rss_mb"`
	Lifetime   *float64 `json:"lifetime_seconds"`
	Source     string   `json:"source"`
}

// EventFilter picks events. The zero filter picks all.
type EventFilter struct {
	Range
	Types []string
	Job   string
	PID   int64
}

// Events returns the events of a range, oldest first.
func (d *DB) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	query, args := f.Range.page(`SELECT t.id, t.timestamp, h.name, pid, event_type, exit_code, signal_num, job_id, sheet_num,
		coalesce(details,''), ppid, coalesce(command,''), start_ticks, cpu_ms/1000.0, peak_rss_kib/1024.0, lifetime_ms/1000.0, source
		FROM process_events t JOIN hosts h ON h.id = t.host_id` + f.join())
	args = append(f.args(), args...)
	events, err := collect(ctx, d, query, args, func(r *sql.Rows, e *Event) error {
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
		on += ` AND t.event_type IN (` + marks(len(f.Types)) + `)`
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

// marks is n comma-separated parameters.
func marks(n int) string {
	b := make([]byte, 0, 2*n)
	for range n {
		b = append(b, '?', ',')
	}
	return string(b[:max(0, len(b)-1)])
}

// EventsFromMessage are events as the log has them.
func EventsFromMessage(m *schema.Message) []Event {
	out := make([]Event, len(m.Events))
	for i := range m.Events {
		e := &m.Events[i]
		out[i] = Event{
			Timestamp: schema.Timestamp(e.Wall), Host: m.Host, PID: int64(e.PID), Type: m.Kind.EventType(),
			ExitCode: pointer(e.ExitCode), Signal: pointer(e.Signal), Sheet: pointer(e.Sheet), Details: e.Details,
			PPID: pointer(e.PPID), Command: e.Command, StartTicks: int64(e.StartTicks), CPUSeconds: scaled(e.CPUMillis, 1000),
			PeakRSS: scaled(e.PeakRSS, 1024), Lifetime: scaled(e.Lifetime, 1000), Source: e.Source,
		}
		if e.JobID != "" {
			out[i].JobID = &e.JobID
		}
	}
	return out
}
