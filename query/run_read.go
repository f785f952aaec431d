package query

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// totalColumns are the columns of totals, in the order in which scan reads them.
const totalColumns = `t.cpu_us / 1e6 AS cpu, t.cpu_source AS cpu_source, max(t.cpu_us - t.system_cpu_us, 0) / 1e6 AS user, t.system_cpu_us / 1e6 AS system,
	t.peak_rss_kib / 1024.0 AS peak, t.peak_source AS peak_source, t.group_peak_kib / 1024.0 AS group_peak, t.read_kib / 1024.0,
	t.write_kib / 1024.0, t.io_source, t.pids_peak, t.processes`

func (t *Totals) into() []any {
	return []any{&t.CPUSeconds, &t.CPUSource, &t.UserCPU, &t.SystemCPU, &t.PeakRSS, &t.PeakSource, &t.GroupPeak, &t.Read, &t.Write, &t.IOSource, &t.PIDsPeak, &t.Processes}
}

// runColumns are the columns of a run in runs and in run_records, in the order in which scan reads them, but for its number, its start and
// what a record alone has.
const runColumns = `t.job_id, nullif(h.name, '` + schema.Fleet + `'), t.fleet, t.run_id, t.ended, t.ended_since, t.inferred, t.exit_code,
	t.signal_num, t.details, t.status, t.command, t.total_sheets, t.last_completed_sheet, ` + totalColumns

// runsQuery reads runs by their records where they have ended, and else by what job events tell. %[1]s is a condition.
var runsQuery = `SELECT t.number, t.started, t.lower_bound, t.steps, ` + runColumns + ` FROM run_records t JOIN hosts h ON h.id = t.host_id
	WHERE %[1]s AND (t.ended IS NOT NULL OR (t.job_id, t.fleet, t.host_id, t.run_id) NOT IN (SELECT job_id, fleet, host_id, run_id FROM runs t WHERE t.job_id = ?1))
	UNION ALL SELECT r.number, CASE WHEN t.declared OR r.started IS NULL THEN t.started ELSE min(t.started, r.started) END, 0, NULL, ` + runColumns + `
	FROM runs t JOIN hosts h ON h.id = t.host_id
	LEFT JOIN run_records r ON (r.job_id, r.fleet, r.host_id, r.run_id) = (t.job_id, t.fleet, t.host_id, t.run_id)
	WHERE %[1]s AND r.ended IS NULL`

// Runs returns the runs of the jobs that a filter picks: by whose job it is, the fleet's first, and then by number. One that has no number
// yet has the next: it will be the one that it gets, unless another run is heard of that began before.
func Runs(ctx context.Context, db *DB, f JobFilter) ([]Run, error) {
	where, args := `t.job_id = ?1`, []any{f.Name}
	if f.Host != "" {
		where, args = where+` AND h.name IN (?2, '`+schema.Fleet+`')`, append(args, f.Host)
	}
	runs, err := collect(ctx, db, fmt.Sprintf(runsQuery, where), args, scanRun)
	if err != nil {
		return nil, fmt.Errorf("read runs of job %q: %w", f.Name, err)
	}
	numberRuns(runs)
	for i := range runs {
		if runs[i].recordedSteps == "" { // a record has it
			if err := addCounted(ctx, db, &runs[i]); err != nil {
				return nil, fmt.Errorf("count the processes of run %s of job %q: %w", runs[i].ID, f.Name, err)
			}
		}
	}
	return runs, nil
}

// ofJob is the condition of runsQuery for one job, whose arguments are its key.
const ofJob = `t.job_id = ?1 AND t.fleet = ?2 AND h.name = ?3`

// key names the job among those of all hosts and of the fleet.
func (j *Job) key() []any {
	host := j.Host
	if j.Fleet {
		host = schema.Fleet
	}
	return []any{j.JobID, j.Fleet, host}
}

// AddLastRuns reads the run of each job that began last, if it had one that was declared. The processes of a run that goes on are not counted.
func AddLastRuns(ctx context.Context, db *DB, jobs []Job) error {
	for i := range jobs {
		j := &jobs[i]
		if j.Runs == 0 {
			continue
		}
		runs, err := collect(ctx, db, `SELECT * FROM (`+fmt.Sprintf(runsQuery, ofJob)+`) ORDER BY started DESC LIMIT 1`, j.key(), scanRun)
		if err != nil {
			return fmt.Errorf("read the last run of job %q: %w", j.JobID, err)
		}
		if len(runs) > 0 {
			j.LastRun = &runs[0]
		}
	}
	return nil
}

func scanRun(r *sql.Rows, v *Run) error {
	var host, steps *string
	var number *int64
	err := r.Scan(append([]any{&number, &v.Started, &v.LowerBound, &steps, &v.JobID, &host, &v.Fleet, &v.ID, &v.Ended, &v.EndedSince, &v.Inferred,
		&v.ExitCode, &v.Signal, &v.Details, &v.Status, &v.Command, &v.TotalSheets, &v.LastCompleted}, v.into()...)...)
	v.Host, v.Number, v.recordedSteps = deref(host, ""), deref(number, 0), deref(steps, "")
	return err
}

// numberRuns sorts runs by whose they are and by number. Those without one come behind those that have one, in the order in which they began.
func numberRuns(runs []Run) {
	const unnumbered = 1 << 62
	scope := func(a, b *Run) int {
		if a.Fleet != b.Fleet {
			return map[bool]int{true: -1, false: 1}[a.Fleet]
		}
		return cmp.Compare(a.Host, b.Host)
	}
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(scope(&a, &b), cmp.Compare(cmp.Or(a.Number, unnumbered), cmp.Or(b.Number, unnumbered)), cmp.Compare(a.Started, b.Started),
			strings.Compare(a.ID, b.ID))
	})
	for i := range runs {
		r := &runs[i]
		if r.Number == 0 {
			if r.Number = 1; i > 0 && scope(&runs[i-1], r) == 0 {
				r.Number = runs[i-1].Number + 1
			}
		}
	}
}

// addRunSteps reads the steps of a run.
func addRunSteps(ctx context.Context, db *DB, r *Run) (err error) {
	if r.recordedSteps != "" {
		return r.readRecordedSteps()
	}
	r.Steps, err = collect(ctx, db, `SELECT sheet_num, started, ended, exit_code, signal_num, status, `+totalColumns+` FROM run_steps t
		WHERE run_id = ? AND job_id = ? AND fleet = ? ORDER BY sheet_num`, []any{r.ID, r.JobID, r.Fleet}, func(rows *sql.Rows, s *RunStep) error {
		return rows.Scan(append([]any{&s.Sheet, &s.Started, &s.Ended, &s.ExitCode, &s.Signal, &s.Status}, s.into()...)...)
	})
	return err
}

// readRecordedSteps takes the steps out of the record of a run.
func (r *Run) readRecordedSteps() error {
	var steps []schema.RunStep
	if err := json.Unmarshal([]byte(r.recordedSteps), &steps); err != nil {
		return fmt.Errorf("read the steps in the record of run %s: %w", r.ID, err)
	}
	for i := range steps {
		s := &steps[i]
		step := RunStep{Sheet: s.Sheet, Started: inUnits(s.Started, 1e9), Ended: inUnits(s.Ended, 1e9), ExitCode: optional(s.ExitCode), Signal: optional(s.Signal)}
		if s.Status != "" {
			step.Status = &s.Status
		}
		if s.Totals != nil {
			step.Totals = totalsOf(s.Totals)
		}
		r.Steps = append(r.Steps, step)
	}
	return nil
}

// totalsOf are totals as they are in a message, in the units of this package.
func totalsOf(t *schema.Totals) Totals {
	source := func(s schema.TotalSource) *string {
		if s == schema.FromNowhere {
			return nil
		}
		text := string(s)
		return &text
	}
	of := Totals{PeakRSS: inUnits(t.PeakRSS, 1024), PeakSource: source(t.PeakSource),
		GroupPeak: inUnits(t.GroupPeak, 1024), Read: inUnits(t.ReadKiB, 1024), Write: inUnits(t.WriteKiB, 1024), IOSource: source(t.IOSource),
		PIDsPeak: optional(t.PIDsPeak), Processes: optional(t.Processes)}
	of.SetCPU(inUnits(t.CPUMicros, 1e6), source(t.CPUSource), inUnits(t.System, 1e6))
	return of
}

// inUnits is a number in a larger unit, which is so many of its own; nil when it is not known.
func inUnits(v schema.Opt[int64], unit float64) *float64 {
	if !v.Known {
		return nil
	}
	f := float64(v.V) / unit
	return &f
}

// optional is a number; nil when it is not known.
func optional(v schema.Opt[int64]) *int64 {
	if !v.Known {
		return nil
	}
	return &v.V
}

// addCounted adds, where nobody told of a figure, what the ends of the job's processes tell that came while the run went on.
// Where two runs of one job go on at once, it is of both.
func addCounted(ctx context.Context, db *DB, r *Run) error {
	if r.CPUSeconds != nil && r.PeakRSS != nil && r.Processes != nil {
		return nil
	}
	until := 9e99
	if r.Ended != nil {
		until = *r.Ended
	}
	var exits, spawns int64
	var cpu, system, peak *float64
	err := db.db.QueryRowContext(ctx, `SELECT total(event_type = 'exit'), total(event_type = 'spawn'), sum(cpu_ms) / 1000.0, `+systemSum+` / 1000.0, max(peak_rss_kib) / 1024.0 FROM process_events
		WHERE job_id = ? AND fleet = ? AND event_type IN ('exit', 'spawn') AND timestamp BETWEEN ? AND ?
		AND (fleet OR host_id = (SELECT id FROM hosts WHERE name = ?))`, r.JobID, r.Fleet, r.Started, until, r.Host).Scan(&exits, &spawns, &cpu, &system, &peak)
	if err != nil || exits+spawns == 0 {
		return err
	}
	source := string(schema.FromExits)
	if r.CPUSeconds == nil && cpu != nil {
		r.SetCPU(cpu, &source, system)
	}
	if r.PeakRSS == nil && peak != nil {
		r.PeakRSS, r.PeakSource = peak, &source
	}
	if r.Processes == nil {
		n := max(spawns, exits)
		r.Processes = &n
	}
	return nil
}
