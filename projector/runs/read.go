package runs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"

	"github.com/proctape/proctape/schema"
)

// changed finds the runs of which something was told since the last time, or, the first time, ever, and no record tells.
// A database of some hosts does not have all that the fleet's jobs used: that is for another to tell.
func (t *tables) changed(ctx context.Context) (map[key]bool, error) {
	var newest sql.NullInt64
	var since sql.NullFloat64
	err := t.db.QueryRowContext(ctx, `SELECT max(id), min(timestamp) FROM job_events WHERE id > ?`, t.newest).Scan(&newest, &since)
	if err != nil {
		return nil, err
	}
	found := map[key]bool{}
	switch {
	case t.newest == 0: // the first time: events may be gone of which runs are left
		since.Float64 = math.Inf(-1)
	case !newest.Valid:
		return found, nil
	}
	rows, err := t.db.QueryContext(ctx, `SELECT t.job_id, t.fleet, t.host_id, h.name, t.run_id FROM runs t JOIN hosts h ON h.id = t.host_id
		LEFT JOIN run_records r ON (r.job_id, r.fleet, r.host_id, r.run_id) = (t.job_id, t.fleet, t.host_id, t.run_id)
		WHERE t.last_event >= ? AND (r.run_id IS NULL OR r.ended IS NULL AND t.ended IS NOT NULL OR t.last_event > r.timestamp + 1e-6)
		AND (NOT t.fleet OR NOT EXISTS (SELECT 1 FROM meta WHERE key = 'hosts'))`, since.Float64)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var of key
		if err := rows.Scan(&of.job, &of.fleet, &of.hostID, &of.host, &of.run); err != nil {
			return nil, err
		}
		found[of] = true
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	t.newest = max(t.newest, newest.Int64)
	return found, nil
}

// where picks the rows of a run in runs, run_steps and run_records.
const where = ` WHERE job_id = ? AND fleet = ? AND host_id = ? AND run_id = ?`

// lastNumber is the highest number that a record gives to a run of the job.
func (t *tables) lastNumber(ctx context.Context, of key) (last int64, err error) {
	err = t.db.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM run_records WHERE job_id = ? AND fleet = ? AND host_id = ?`,
		of.values()[:3]...).Scan(&last)
	return last, err
}

// recordColumns are what runs and run_records both have, in the order of into.
const recordColumns = `started, ended, ended_since, inferred, exit_code, signal_num, coalesce(details, ''), coalesce(status, ''), coalesce(command, ''),
	total_sheets, last_completed_sheet, ` + totalColumns

// totalColumns are in the order of totals.
const totalColumns = `cpu_us, coalesce(cpu_source, ''), peak_rss_kib, coalesce(peak_source, ''), group_peak_kib, read_kib, write_kib,
	coalesce(io_source, ''), pids_peak, processes, system_cpu_us`

func into(r *schema.RunRecord, t *schema.Totals) []any {
	return append([]any{(*moment)(&r.Started), optMoment{&r.Ended}, optMoment{&r.Since}, &r.Inferred, opt{&r.ExitCode}, opt{&r.Signal},
		&r.Details, &r.Status, &r.Command, opt{&r.TotalSheets}, opt{&r.LastCompleted}}, totals(t)...)
}

func totals(t *schema.Totals) []any {
	return []any{opt{&t.CPUMicros}, &t.CPUSource, opt{&t.PeakRSS}, &t.PeakSource, opt{&t.GroupPeak}, opt{&t.ReadKiB}, opt{&t.WriteKiB},
		&t.IOSource, opt{&t.PIDsPeak}, opt{&t.Processes}, opt{&t.System}}
}

// orNone is totals of which something is known, or nil.
func orNone(t *schema.Totals) *schema.Totals {
	if *t == (schema.Totals{}) {
		return nil
	}
	return t
}

// stateOf reads what is known of a run; nil when it is gone.
func (t *tables) stateOf(ctx context.Context, of key) (*state, error) {
	id, err := schema.ParseRunID(of.run)
	if err != nil {
		return nil, err
	}
	r, used := &schema.RunRecord{JobID: of.job, Run: id}, new(schema.Totals)
	run := &state{key: of, now: r}
	var declared bool
	err = t.db.QueryRowContext(ctx, `SELECT coalesce(boot_id, ''), declared, last_event, `+recordColumns+` FROM runs`+where, of.values()...).
		Scan(append([]any{&run.bootID, &declared, (*moment)(&r.LastEvent)}, into(r, used)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	run.unknown = !declared
	if r.Steps, err = t.steps(ctx, of); err != nil {
		return nil, err
	}
	if r.Ended.Known {
		r.Totals = orNone(used)
	}
	if err := t.readRecord(ctx, run); err != nil {
		return nil, err
	}
	if r.Ended.Known {
		if err := t.count(ctx, run); err != nil {
			return nil, err
		}
	}
	run.merge()
	return run, nil
}

func (t *tables) steps(ctx context.Context, of key) (steps []schema.RunStep, err error) {
	rows, err := t.db.QueryContext(ctx, `SELECT sheet_num, started, ended, exit_code, signal_num, coalesce(status, ''), `+totalColumns+
		` FROM run_steps`+where+` ORDER BY sheet_num LIMIT ?`, append(of.values(), schema.MaxSteps)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		s, used := schema.RunStep{}, new(schema.Totals)
		if err := rows.Scan(append([]any{&s.Sheet, optMoment{&s.Started}, optMoment{&s.Ended}, opt{&s.ExitCode}, opt{&s.Signal}, &s.Status},
			totals(used)...)...); err != nil {
			return nil, err
		}
		s.Totals = orNone(used)
		steps = append(steps, s)
	}
	return steps, rows.Err()
}

// readRecord reads the last record of a run.
func (t *tables) readRecord(ctx context.Context, run *state) error {
	r, used := &schema.RunRecord{JobID: run.job, Run: run.now.Run}, new(schema.Totals)
	var steps string
	err := t.db.QueryRowContext(ctx, `SELECT number, record, timestamp, steps, lower_bound, `+recordColumns+` FROM run_records`+where, run.values()...).
		Scan(append([]any{&r.Number, &run.record, (*moment)(&r.LastEvent), &steps, &r.LowerBound}, into(r, used)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	if steps != "[]" {
		if err := json.Unmarshal([]byte(steps), &r.Steps); err != nil {
			return err
		}
	}
	r.Totals = orNone(used)
	run.told = r
	return nil
}
