package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"github.com/proctape/proctape/schema"
)

// PastEvents passes on the starts and ends of a range as the messages that they were made of, each with one event, oldest first, as far as rules need them.
func PastEvents(ctx context.Context, db *DB, r Range, visit func(*schema.Message) error) (n int64, err error) {
	until := r.Until
	if until == 0 {
		until = math.MaxFloat64
	}
	err = each(ctx, db.db, `SELECT t.event_type, h.name, t.boot_id, t.boot_ns, t.timestamp, t.pid, t.start_ticks, t.ppid, t.uid, coalesce(t.command, ''), coalesce(t.job_id, ''), t.fleet, t.sheet_num,
		t.exit_code, t.signal_num, t.cpu_ms, t.peak_rss_kib, t.lifetime_ms FROM process_events t JOIN hosts h ON h.id = t.host_id
		WHERE t.timestamp >= ? AND t.timestamp < ? AND (? = '' OR h.name = ?) ORDER BY t.timestamp, t.id`, []any{r.Since, until, r.Host, r.Host}, func(rows *sql.Rows) error {
		var kind string
		var at float64
		m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Seq: 1}, Events: make([]schema.Event, 1)}
		e := &m.Events[0]
		var ppid, uid, sheet, code, signal, cpu, peak, lifetime sql.Null[int64]
		if err := rows.Scan(&kind, &m.Host, &m.BootID, &e.Boot, &at, &e.PID, &e.StartTicks, &ppid, &uid, &e.Command, &e.JobID, &e.Fleet, &sheet, &code, &signal, &cpu, &peak, &lifetime); err != nil {
			return err
		}
		e.Wall = int64(math.Round(at*1e6)) * 1000
		m.Kind, m.Wall, m.Boot = schema.EventKinds[kind], e.Wall, e.Boot
		for _, of := range []struct {
			from sql.Null[int64]
			to   *schema.Opt[int64]
		}{{ppid, &e.PPID}, {uid, &e.UID}, {sheet, &e.Sheet}, {code, &e.ExitCode}, {signal, &e.Signal}, {cpu, &e.CPUMillis}, {peak, &e.PeakRSS}, {lifetime, &e.Lifetime}} {
			*of.to = schema.Opt[int64]{V: of.from.V, Known: of.from.Valid}
		}
		n++
		return visit(m)
	})
	if err != nil {
		return n, fmt.Errorf("read the past: %w", err)
	}
	return n, nil
}

// PastRuns passes on the records of runs of jobs that ended in a range, as the messages that they were made of, in the order of their ends, as far as rules
// need them. Runs that ended before come too: later ones are compared with them.
func PastRuns(ctx context.Context, db *DB, r Range, visit func(*schema.Message) error) (n int64, err error) {
	until := r.Until
	if until == 0 {
		until = math.MaxFloat64
	}
	err = each(ctx, db.db, `SELECT h.name, t.job_id, t.run_id, t.number, t.started, t.ended, t.exit_code, t.signal_num, coalesce(t.status, ''), t.cpu_us, t.peak_rss_kib, t.group_peak_kib,
		t.read_kib, t.write_kib, t.processes, t.steps FROM run_records t JOIN hosts h ON h.id = t.host_id WHERE t.ended IS NOT NULL AND t.ended < ? AND (? = '' OR h.name = ?)
		ORDER BY t.ended, t.run_id`, []any{until, r.Host, r.Host}, func(rows *sql.Rows) error {
		v := &schema.RunRecord{Totals: &schema.Totals{}}
		m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindRun, BootID: "unknown", Seq: 1}, Run: v}
		var run string
		var started, ended float64
		var code, signal, cpu, peak, group, read, write, processes sql.Null[int64]
		var steps []byte
		if err := rows.Scan(&m.Host, &v.JobID, &run, &v.Number, &started, &ended, &code, &signal, &v.Status, &cpu, &peak, &group, &read, &write, &processes, &steps); err != nil {
			return err
		}
		v.Started, v.Ended = int64(math.Round(started*1e6))*1000, schema.Some(int64(math.Round(ended*1e6))*1000)
		m.Wall = v.Ended.V
		for _, of := range []struct {
			from sql.Null[int64]
			to   *schema.Opt[int64]
		}{{code, &v.ExitCode}, {signal, &v.Signal}, {cpu, &v.Totals.CPUMicros}, {peak, &v.Totals.PeakRSS}, {group, &v.Totals.GroupPeak}, {read, &v.Totals.ReadKiB},
			{write, &v.Totals.WriteKiB}, {processes, &v.Totals.Processes}} {
			*of.to = schema.Opt[int64]{V: of.from.V, Known: of.from.Valid}
		}
		if err := json.Unmarshal(steps, &v.Steps); err != nil {
			return err
		}
		if err := v.Run.UnmarshalText([]byte(run)); err != nil {
			return err
		}
		n++
		return visit(m)
	})
	if err != nil {
		return n, fmt.Errorf("read the past: %w", err)
	}
	return n, nil
}
