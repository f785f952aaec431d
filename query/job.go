package query

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// ErrNoJob is returned by Profile for a job of which nothing was ever recorded.
var ErrNoJob = errors.New("no such job")

// Job is one line of the list of jobs.
type Job struct {
	JobID      string   `json:"job_id"`
	Status     *string  `json:"status"`
	FirstSeen  *float64 `json:"first_seen"` // Unix seconds
	LastSeen   *float64 `json:"last_seen"`
	PeakRSS    *float64 `json:"peak_rss_mb"`
	MaxCPU     *float64 `json:"max_cpu_pct"` // of the busiest process
	CPUSeconds float64  `json:"total_cpu_seconds"`
	PIDs       int64    `json:"unique_pid_count"`
	Spawns     int64    `json:"process_spawn_count"`
	Exits      int64    `json:"process_exit_count"`
	Signals    int64    `json:"signal_count"` // signal and kill events
	OOMs       int64    `json:"oom_count"`
	ExitCode   *int64   `json:"exit_code"`
	Command    *string  `json:"command"`
}

const jobColumns = `job_id, status, nullif(min(coalesce(first_seen, 9e99), coalesce(first_event, 9e99)), 9e99),
	nullif(max(coalesce(last_seen, 0), coalesce(last_event, 0)), 0), nullif(max(coalesce(peak_rss_kib,-1), coalesce(exit_peak_rss_kib,-1)), -1)/1024.0, max_cpu_permille/10.0,
	(cpu_ms+exit_cpu_ms)/1000.0, unique_pids, spawns, exits, signals, ooms, exit_code, command`

func scanJob(r *sql.Rows, j *Job) error {
	return r.Scan(&j.JobID, &j.Status, &j.FirstSeen, &j.LastSeen, &j.PeakRSS, &j.MaxCPU, &j.CPUSeconds, &j.PIDs, &j.Spawns,
		&j.Exits, &j.Signals, &j.OOMs, &j.ExitCode, &j.Command)
}

// Jobs returns the jobs that were seen since a time, in the order in which they were seen last; of more than the limit, the
// latest. It uses only the Since and the Limit of the range, because a job has no single host and no single time.
func Jobs(ctx context.Context, db *DB, r Range) ([]Job, error) {
	query := `SELECT ` + jobColumns + ` FROM jobs WHERE max(coalesce(last_seen, 0), coalesce(last_event, 0)) >= ?
		ORDER BY max(coalesce(last_seen, 0), coalesce(last_event, 0)) DESC, job_id`
	args := []any{r.Since}
	if r.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, r.Limit)
	}
	jobs, err := collect(ctx, db, query, args, scanJob)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	for i, j := 0, len(jobs)-1; i < j; i, j = i+1, j-1 {
		jobs[i], jobs[j] = jobs[j], jobs[i]
	}
	return jobs, nil
}

// Profile is what a job used.
type Profile struct {
	JobID      string             `json:"job_id"`
	PeakRSS    float64            `json:"peak_rss_mb"`         // of the largest process, over all samples
	CPUSeconds float64            `json:"total_cpu_seconds"`   // of all its processes
	Spawns     int64              `json:"process_spawn_count"` // spawn events
	PIDs       int64              `json:"unique_pid_count"`    // pids seen in samples
	Hotspots   map[string]float64 `json:"syscall_hotspots"`    // sum of the time percentages over all samples
	Sheets     map[int64]Sheet    `json:"sheet_metrics"`
	MaxCPU     float64            `json:"max_cpu_pct"`
	FirstSeen  *float64           `json:"first_seen"`
	LastSeen   *float64           `json:"last_seen"`
	Status     *string            `json:"status"`
	ExitCode   *int64             `json:"exit_code"`
	Exits      int64              `json:"process_exit_count"`
	// Resolution is in what detail the recording still has the job: full, or part when samples of it have left full
	// resolution, or totals when all have. These figures are of all samples whatever it is.
	Resolution   string   `json:"resolution"`
	hotspotOrder []string // by first appearance
	hasProcesses bool     // a process of it was seen, in a sample or an event
}

// Sheet is what one step (sheet) of a job used.
type Sheet struct {
	PeakRSS    float64 `json:"peak_rss_mb"`
	MaxCPU     float64 `json:"max_cpu_pct"`
	CPUSeconds float64 `json:"total_cpu_seconds"`
}

// JobProfile returns what a job used. A job of which nothing was recorded is [ErrNoJob].
func JobProfile(ctx context.Context, db *DB, job string) (*Profile, error) {
	jobs, err := collect(ctx, db, `SELECT `+jobColumns+` FROM jobs WHERE job_id = ?`, []any{job}, scanJob)
	if err == nil && len(jobs) == 0 {
		err = ErrNoJob
	}
	if err != nil {
		return nil, fmt.Errorf("read job %q: %w", job, err)
	}
	j := jobs[0]
	p := &Profile{JobID: job, CPUSeconds: j.CPUSeconds, Spawns: j.Spawns, PIDs: j.PIDs, Exits: j.Exits, FirstSeen: j.FirstSeen,
		LastSeen: j.LastSeen, Status: j.Status, ExitCode: j.ExitCode, Hotspots: map[string]float64{}, Sheets: map[int64]Sheet{},
		hasProcesses: j.PIDs+j.Spawns+j.Exits+j.Signals+j.OOMs > 0}
	if j.PeakRSS != nil {
		p.PeakRSS = *j.PeakRSS
	}
	if j.MaxCPU != nil {
		p.MaxCPU = *j.MaxCPU
	}
	if err := errors.Join(addHotspots(ctx, db, p), addSheets(ctx, db, p), addResolution(ctx, db, p)); err != nil {
		return nil, fmt.Errorf("read job %q: %w", job, err)
	}
	return p, nil
}

// HasProcesses reports whether a process of the job was seen, in a sample or an event. A job that was only declared has none.
func (p *Profile) HasProcesses() bool { return p.hasProcesses }

// HotspotNames are the system calls of Hotspots, the one with the most time first. Equal ones stand in the order in which they
// first appeared.
func (p *Profile) HotspotNames() []string {
	names := slices.Clone(p.hotspotOrder)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(p.Hotspots[b], p.Hotspots[a]) })
	return names
}

// addHotspots reads the system calls of a job.
func addHotspots(ctx context.Context, db *DB, p *Profile) error {
	return each(ctx, db.db, `SELECT name, time_pct_x100/100.0 FROM job_syscalls WHERE job_id = ? ORDER BY rank`, []any{p.JobID},
		func(r *sql.Rows) error {
			var name string
			var pct float64
			if err := r.Scan(&name, &pct); err != nil {
				return err
			}
			p.Hotspots[name] = pct
			p.hotspotOrder = append(p.hotspotOrder, name)
			return nil
		})
}

// addSheets reads the steps that have samples. A step that was only announced has used nothing.
func addSheets(ctx context.Context, db *DB, p *Profile) error {
	return each(ctx, db.db, `SELECT sheet_num, max(coalesce(peak_rss_kib,0), coalesce(exit_peak_rss_kib,0))/1024.0, coalesce(max_cpu_permille,0)/10.0,
		(cpu_ms+exit_cpu_ms)/1000.0 FROM job_sheets
		WHERE job_id = ? AND coalesce(peak_rss_kib, max_cpu_permille, exit_peak_rss_kib) IS NOT NULL`, []any{p.JobID},
		func(r *sql.Rows) error {
			var n int64
			var s Sheet
			if err := r.Scan(&n, &s.PeakRSS, &s.MaxCPU, &s.CPUSeconds); err != nil {
				return err
			}
			p.Sheets[n] = s
			return nil
		})
}

// addResolution sets Resolution: it compares when the job was seen with how far back single samples go.
func addResolution(ctx context.Context, db *DB, p *Profile) error {
	p.Resolution = "full"
	return each(ctx, db.db, `SELECT j.first_seen < s.first, j.last_seen < s.first
		FROM jobs j, (SELECT coalesce(min(timestamp), 9e99) AS first FROM snapshots) s WHERE j.job_id = ?`, []any{p.JobID},
		func(r *sql.Rows) error {
			var begun, over sql.Null[bool]
			err := r.Scan(&begun, &over)
			switch {
			case over.V:
				p.Resolution = "totals"
			case begun.V:
				p.Resolution = "part"
			}
			return err
		})
}
