package query

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
)

// Events returns the events of a range, in its order.
func Events(ctx context.Context, db *DB, f Filter) ([]Event, error) {
	events, err := readEvents(ctx, db, f)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return ordered(events, f.Range), nil
}

// EventSeq yields what [Events] returns, page by page: its memory does not grow with the range.
func EventSeq(ctx context.Context, db *DB, f Filter) iter.Seq2[Event, error] {
	return listing[Event]{
		read: func(ctx context.Context, db *DB, r Range) ([]Event, error) {
			f.Range = r
			return Events(ctx, db, f)
		},
		position: func(e *Event) position { return e.position() },
	}.items(ctx, db, f.Range)
}

// Cursor is the event's place in a listing.
func (e Event) Cursor() Cursor { return e.position().cursor() }

func (e *Event) position() position { return position{at: e.Timestamp, kind: ofRows, id: e.ID} }

// readEvents reads a page of events in the order in which they are searched.
func readEvents(ctx context.Context, db *DB, f Filter) ([]Event, error) {
	if f.Limit == 0 || !f.sparse() {
		return readEventRows(ctx, db, f)
	}
	return readSlices(ctx, db, "process_events", f.Range, func(r Range) ([]Event, error) {
		f.Range = r
		return readEventRows(ctx, db, f)
	})
}

// EventOf returns the event of a row id; nil when there is none.
func EventOf(ctx context.Context, db *DB, id int64) (*Event, error) {
	events, err := collect(ctx, db, eventColumns+` WHERE t.id = ?`, []any{id}, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("read event %d: %w", id, err)
	}
	if len(events) == 0 {
		return nil, nil
	}
	return &events[0], nil
}

const eventColumns = `SELECT t.id, t.timestamp, h.name, pid, event_type, exit_code, signal_num, job_id, fleet, sheet_num,
		coalesce(details,''), ppid, uid, coalesce(command,''), start_ticks, core, cpu_ms/1000.0, system_cpu_ms/1000.0, peak_rss_kib/1024.0, read_kib/1024.0,
		write_kib/1024.0, lifetime_ms/1000.0, source, within_ms/1000.0 FROM process_events t JOIN hosts h ON h.id = t.host_id`

func scanEvent(r *sql.Rows, e *Event) error {
	return r.Scan(&e.ID, &e.Timestamp, &e.Host, &e.PID, &e.Type, &e.ExitCode, &e.Signal, &e.JobID, &e.Fleet, &e.Sheet, &e.Details,
		&e.PPID, &e.UID, &e.Command, &e.StartTicks, &e.Core, &e.CPUSeconds, &e.SystemCPU, &e.PeakRSS, &e.Read, &e.Write, &e.Lifetime, &e.Source, &e.Within)
}

func readEventRows(ctx context.Context, db *DB, f Filter) ([]Event, error) {
	on, args := f.conditions(true)
	query, of := f.Range.page(ofRows, eventColumns+on)
	return collect(ctx, db, query, append(args, of...), scanEvent)
}

// WithCauses joins the two events of a death by a signal into one, its exit, which then has a Cause: a signal, kill or oom event
// says no more than how the exit beside it came about. What stands alone stays.
func WithCauses(events iter.Seq2[Event, error]) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var held []Event // of one time
		for e, err := range events {
			if err == nil && (len(held) == 0 || held[0].Timestamp == e.Timestamp) {
				held = append(held, e)
				continue
			}
			if !yieldAll(joinDeaths(held), nil, yield) {
				return
			}
			held = append(held[:0], e)
			if err != nil {
				yield(Event{}, err)
				return
			}
		}
		yieldAll(joinDeaths(held), nil, yield)
	}
}

// joinDeaths joins the deaths among events of one time.
func joinDeaths(events []Event) []Event {
	type life struct {
		host       string
		pid, start int64
	}
	exits := map[life]int{}
	for i, e := range events {
		if e.Type == "exit" && e.Signal != nil {
			exits[life{e.Host, e.PID, e.StartTicks}] = i
		}
	}
	if len(exits) == 0 {
		return events
	}
	var joined []int
	for i, e := range events {
		if at, ok := exits[life{e.Host, e.PID, e.StartTicks}]; ok && (e.Type == "signal" || e.Type == "kill" || e.Type == "oom") {
			events[at].Cause, events[at].Details = e.Type, e.Details
			joined = append(joined, i)
		}
	}
	kept := events[:0:0]
	for i, e := range events {
		if len(joined) > 0 && joined[0] == i {
			joined = joined[1:]
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// EventCounts counts the events of jobs of a name since a time in Unix seconds, by type. A type without events is not in it.
func EventCounts(ctx context.Context, db *DB, f JobFilter, since float64) (map[string]int64, error) {
	counts := map[string]int64{}
	where, args := f.rows()
	err := each(ctx, db.db, `SELECT event_type, count(*) FROM process_events`+where+` AND timestamp >= ? GROUP BY event_type`,
		append(args, since), func(rows *sql.Rows) error {
			var name string
			var n int64
			if err := rows.Scan(&name, &n); err != nil {
				return err
			}
			counts[name] = n
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("count the events of job %q: %w", f.Name, err)
	}
	return counts, nil
}
