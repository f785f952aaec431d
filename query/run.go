package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// Totals are what a run, or a step of one, used in all. Each figure that is known says where it is from: cgroup, wait4, exits or
// samples. Nil is not known.
type Totals struct {
	CPUSeconds *float64 `json:"total_cpu_seconds"`
	CPUSource  *string  `json:"cpu_source"`
	PeakRSS    *float64 `json:"peak_rss_mb"` // of the largest process
	PeakSource *string  `json:"peak_source"`
	GroupPeak  *float64 `json:"group_peak_mb"` // of all processes at one time, page cache included, by the control group
	Read       *float64 `json:"read_mb"`       // from storage
	Write      *float64 `json:"write_mb"`
	IOSource   *string  `json:"io_source"`
	PIDsPeak   *int64   `json:"pids_peak"` // tasks at one time, threads included
	Processes  *int64   `json:"processes"`
}

// Run is one execution of a job.
type Run struct {
	JobID  string `json:"job_id"`
	Host   string `json:"host"` // whose job it is; empty for one of the fleet
	Fleet  bool   `json:"fleet"`
	Number int64  `json:"run"`    // within the job, from 1, in the order in which runs began
	ID     string `json:"run_id"` // 32 hexadecimal digits
	// Started and Ended are Unix seconds. Ended is nil while the run goes on. When nobody saw the end, it lies between EndedSince
	// and Ended.
	Started    float64  `json:"started"`
	Ended      *float64 `json:"ended"`
	EndedSince *float64 `json:"ended_since"`
	Inferred   bool     `json:"inferred"` // nobody saw the end; it was concluded
	// ExitCode and Signal are how it ended; both are nil when that is not known.
	ExitCode      *int64  `json:"exit_code"`
	Signal        *int64  `json:"signal_num"`
	Details       *string `json:"details"`
	Status        *string `json:"status"` // as its conductor said
	Command       *string `json:"command"`
	TotalSheets   *int64  `json:"total_sheets"`
	LastCompleted *int64  `json:"last_completed_sheet"`
	Totals
	// Steps, and Coverage, which says how much is known of the time of the run, are of one run alone: [FindRun].
	Steps    []RunStep  `json:"steps,omitempty"`
	Coverage []Coverage `json:"coverage,omitempty"`
}

// RunStep is a step (sheet) of a run.
type RunStep struct {
	Sheet    int64    `json:"sheet_num"`
	Started  *float64 `json:"started"`
	Ended    *float64 `json:"ended"`
	ExitCode *int64   `json:"exit_code"`
	Signal   *int64   `json:"signal_num"`
	Status   *string  `json:"status"`
	Totals
}

// NoRunError says that a job has no run of a number or an id.
type NoRunError struct {
	Job, Run string
	Last     int64 // number of the job's last run; 0 when it has none
}

func (e *NoRunError) Error() string {
	return fmt.Sprintf("job %q has no run %s in the recording", e.Job, e.Run)
}

// RunHostsError says that several jobs of a name have a run of the number that was asked for.
type RunHostsError struct {
	Job, Run string
	Hosts    []string // whose jobs they are, sorted; "fleet" for the fleet's
}

func (e *RunHostsError) Error() string {
	return fmt.Sprintf("run %s of job %q is several: of %s", e.Run, e.Job, strings.Join(e.Hosts, ", "))
}

// totalColumns are the columns of totals, in the order in which scan reads them.
const totalColumns = `cpu_us / 1e6, cpu_source, peak_rss_kib / 1024.0, peak_source, group_peak_kib / 1024.0, read_kib / 1024.0, write_kib / 1024.0,
	io_source, pids_peak, processes`

func (t *Totals) into() []any {
	return []any{&t.CPUSeconds, &t.CPUSource, &t.PeakRSS, &t.PeakSource, &t.GroupPeak, &t.Read, &t.Write, &t.IOSource, &t.PIDsPeak, &t.Processes}
}

// Runs returns the runs of the jobs that a filter picks: by whose job it is, the fleet's first, and then in the order in which they
// began, which numbers them.
func Runs(ctx context.Context, db *DB, f JobFilter) ([]Run, error) {
	where, args := `WHERE t.job_id = ?`, []any{f.Name}
	if f.Host != "" {
		where, args = where+` AND h.name IN (?, '`+schema.Fleet+`')`, append(args, f.Host)
	}
	runs, err := collect(ctx, db, `SELECT t.job_id, nullif(h.name, '`+schema.Fleet+`'), t.fleet, t.run_id, t.started, t.ended, t.ended_since, t.inferred, t.exit_code,
		t.signal_num, t.details, t.status, t.command, t.total_sheets, t.last_completed_sheet, `+totalColumns+`
		FROM runs t JOIN hosts h ON h.id = t.host_id `+where+` ORDER BY t.fleet DESC, h.name, t.started, t.run_id`, args, scanRun)
	if err != nil {
		return nil, fmt.Errorf("read runs of job %q: %w", f.Name, err)
	}
	for i := range runs {
		r := &runs[i]
		if r.Number = 1; i > 0 && runs[i-1].Host == r.Host && runs[i-1].Fleet == r.Fleet {
			r.Number = runs[i-1].Number + 1
		}
	}
	return runs, nil
}

func scanRun(r *sql.Rows, v *Run) error {
	var host *string
	err := r.Scan(append([]any{&v.JobID, &host, &v.Fleet, &v.ID, &v.Started, &v.Ended, &v.EndedSince, &v.Inferred, &v.ExitCode, &v.Signal, &v.Details, &v.Status,
		&v.Command, &v.TotalSheets, &v.LastCompleted}, v.into()...)...)
	if host != nil {
		v.Host = *host
	}
	return err
}

// FindRun returns one run of a job with its steps, by its number within the job or by its id. It is a *[NoRunError] when there is
// none, and a *[RunHostsError] when several hosts have a job of the name with a run of that number.
func FindRun(ctx context.Context, db *DB, f JobFilter, run string) (*Run, error) {
	runs, err := Runs(ctx, db, f)
	if err != nil {
		return nil, err
	}
	var last int64
	var found []*Run
	for i := range runs {
		last = max(last, runs[i].Number)
		if runs[i].ID == strings.ToLower(run) || strconv.FormatInt(runs[i].Number, 10) == run {
			found = append(found, &runs[i])
		}
	}
	switch len(found) {
	case 0:
		return nil, &NoRunError{f.Name, run, last}
	case 1:
		if err := errors.Join(addRunSteps(ctx, db, found[0]), addCounted(ctx, db, found[0]), addRunCoverage(ctx, db, found[0])); err != nil {
			return nil, fmt.Errorf("read run %s of job %q: %w", run, f.Name, err)
		}
		return found[0], nil
	}
	several := &RunHostsError{Job: f.Name, Run: run}
	for _, r := range found {
		several.Hosts = append(several.Hosts, r.scope())
	}
	slices.Sort(several.Hosts)
	return nil, several
}

// scope is whose job the run's is, as people read it.
func (r *Run) scope() string {
	if r.Fleet {
		return "fleet"
	}
	return r.Host
}

func addRunSteps(ctx context.Context, db *DB, r *Run) (err error) {
	r.Steps, err = collect(ctx, db, `SELECT sheet_num, started, ended, exit_code, signal_num, status, `+totalColumns+` FROM run_steps
		WHERE run_id = ? AND job_id = ? AND fleet = ? ORDER BY sheet_num`, []any{r.ID, r.JobID, r.Fleet}, func(rows *sql.Rows, s *RunStep) error {
		return rows.Scan(append([]any{&s.Sheet, &s.Started, &s.Ended, &s.ExitCode, &s.Signal, &s.Status}, s.into()...)...)
	})
	return err
}

func addRunCoverage(ctx context.Context, db *DB, r *Run) (err error) {
	until := float64(time.Now().UnixNano()) / 1e9
	if r.Ended != nil {
		until = *r.Ended
	}
	r.Coverage, err = FullCoverage(ctx, db, Range{Since: r.Started, Until: until, Host: r.Host})
	return err
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
	var cpu, peak *float64
	err := db.db.QueryRowContext(ctx, `SELECT total(event_type = 'exit'), total(event_type = 'spawn'), sum(cpu_ms) / 1000.0, max(peak_rss_kib) / 1024.0 FROM process_events
		WHERE job_id = ? AND fleet = ? AND event_type IN ('exit', 'spawn') AND timestamp BETWEEN ? AND ?
		AND (fleet OR host_id = (SELECT id FROM hosts WHERE name = ?))`, r.JobID, r.Fleet, r.Started, until, r.Host).Scan(&exits, &spawns, &cpu, &peak)
	if err != nil || exits+spawns == 0 {
		return err
	}
	source := string(schema.FromExits)
	if r.CPUSeconds == nil && cpu != nil {
		r.CPUSeconds, r.CPUSource = cpu, &source
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
