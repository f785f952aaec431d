package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// ErrNoJob is returned for a job of which nothing was ever recorded.
var ErrNoJob = errors.New("no such job")

// JobHostError says that a job is in the recording, and nothing of it is of the host that was asked for.
type JobHostError struct {
	Job, Host string
	Hosts     []string // that have the job, sorted
}

func (e *JobHostError) Error() string {
	return fmt.Sprintf("job %q is in the recording, and not on host %q", e.Job, e.Host)
}

// JobFilter picks what is recorded under a job's name: of all hosts, or of one.
type JobFilter struct {
	Name string
	Host string // empty for all hosts
}

// ofHost is the condition that a row with the columns of a job's key is of the filter's host, with its argument.
func (f JobFilter) ofHost(condition string) (string, []any) {
	if f.Host == "" {
		return "", nil
	}
	return condition, []any{f.Host}
}

// rows are the condition for the rows of the filter's job in a table that has a job's key, and its arguments.
func (f JobFilter) rows() (string, []any) {
	host, args := f.ofHost(` AND host_id = (SELECT id FROM hosts WHERE name = ?)`)
	return ` WHERE job_id = ?` + host, append([]any{f.Name}, args...)
}

// JobScope is one of the jobs that may have a name: whose it is, where it was seen, and how it stands. A job belongs to its
// host, unless a conductor declared it for the fleet.
type JobScope struct {
	Host     string   `json:"host"`   // whose job it is; empty for one of the fleet
	Fleet    bool     `json:"fleet"`  // it is one of the fleet
	Hosts    []string `json:"hosts"`  // that told of it, sorted; none of a fleet's job that was only declared
	Status   *string  `json:"status"` // as its conductor said; nil when nobody did
	ExitCode *int64   `json:"exit_code"`
}

// Job is one line of the list of jobs.
type Job struct {
	JobID string `json:"job_id"`
	JobScope
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
	Command    *string  `json:"command"`
	Runs       int64    `json:"runs"`                  // that are in the recording
	LastRun    *Run     `json:"last_run,omitempty"`    // the one that began last, without its steps and coverage; only where [AddLastRuns] has read it
	Best       *Best    `json:"best_totals,omitempty"` // what all its runs used by the best source that is known; only where [AddBest] has read it
	AtLeast    []string `json:"at_least,omitempty"`    // keys of figures that are lower bounds: what is stored of them stopped at [schema.MaxSum]

	cpuMillis float64
}

// jobsQuery reads jobs, each once: the rows of a job of the fleet together. Of such rows only the conductor's has a status, a
// code and a command. ?1 is a host's name, empty for all; with one, the conductor's row comes along and has no figures.
var jobsQuery = `SELECT j.job_id, j.fleet, group_concat(nullif(h.name, '` + schema.Fleet + `')), max(j.status),
	nullif(min(min(coalesce(j.first_seen, 9e99), coalesce(j.first_event, 9e99))), 9e99),
	nullif(max(max(coalesce(j.last_seen, 0), coalesce(j.last_event, 0))), 0) AS last,
	nullif(max(max(coalesce(j.peak_rss_kib, -1), coalesce(j.exit_peak_rss_kib, -1))), -1) / 1024.0, max(j.max_cpu_permille) / 10.0,
	total(j.cpu_ms) + total(j.exit_cpu_ms), ` + stopped("j.cpu_ms", "j.exit_cpu_ms") + `, CASE WHEN count(nullif(j.unique_pids, 0)) <= 1 THEN max(j.unique_pids) ELSE
		(SELECT count(DISTINCT p.pid) FROM job_pids p WHERE p.job_id = j.job_id AND p.fleet = 1) END,
	` + countOf("j.spawns") + `, ` + countOf("j.exits") + `, ` + countOf("j.signals") + `, ` + countOf("j.ooms") + `, max(j.exit_code), max(j.command),
	(SELECT count(*) FROM (SELECT host_id, run_id FROM runs u WHERE u.job_id = j.job_id AND u.fleet = j.fleet AND (j.fleet OR u.host_id = j.host_id)
		UNION SELECT host_id, run_id FROM run_records u WHERE u.job_id = j.job_id AND u.fleet = j.fleet AND (j.fleet OR u.host_id = j.host_id)))
	FROM jobs j JOIN hosts h ON h.id = j.host_id WHERE (?1 = '' OR h.name IN (?1, '` + schema.Fleet + `'))%s
	GROUP BY j.job_id, j.fleet, CASE WHEN j.fleet THEN 0 ELSE j.host_id END
	HAVING (?1 = '' OR max(h.name = ?1)) AND coalesce(last, 0) >= ?2 ORDER BY last DESC, j.job_id, j.fleet, h.name`

func scanJob(r *sql.Rows, j *Job) error {
	var hosts *string
	var stopped bool
	err := r.Scan(&j.JobID, &j.Fleet, &hosts, &j.Status, &j.FirstSeen, &j.LastSeen, &j.PeakRSS, &j.MaxCPU, &j.cpuMillis, &stopped, &j.PIDs,
		&j.Spawns, &j.Exits, &j.Signals, &j.OOMs, &j.ExitCode, &j.Command, &j.Runs)
	j.Hosts = []string{}
	if hosts != nil {
		j.Hosts = strings.Split(*hosts, ",") // no host's name has a comma
		slices.Sort(j.Hosts)
	}
	if !j.Fleet && len(j.Hosts) > 0 {
		j.Host = j.Hosts[0]
	}
	j.CPUSeconds = j.cpuMillis / 1000
	if stopped {
		j.AtLeast = []string{"total_cpu_seconds"}
	}
	return err
}

// Jobs returns the jobs that were seen since a time, in the order in which they were seen last; of more than the limit, the
// latest. Jobs of one name are several when they are of several hosts, or of the fleet. With a host the figures are those of
// that host alone. Jobs uses only the Since, the Limit and the Host of the range, because a job has no single time.
func Jobs(ctx context.Context, db *DB, r Range) ([]Job, error) {
	query, args := fmt.Sprintf(jobsQuery, ""), []any{r.Host, r.Since}
	if r.Limit > 0 {
		query, args = query+` LIMIT ?3`, append(args, r.Limit)
	}
	jobs, err := collect(ctx, db, query, args, scanJob)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	slices.Reverse(jobs)
	return jobs, nil
}

// jobsNamed returns the jobs that a filter picks: at least one, or [ErrNoJob], or a *[JobHostError].
func jobsNamed(ctx context.Context, db *DB, f JobFilter) ([]Job, error) {
	read := func(host string) ([]Job, error) {
		jobs, err := collect(ctx, db, fmt.Sprintf(jobsQuery, ` AND j.job_id = ?3`), []any{host, 0, f.Name}, scanJob)
		slices.SortFunc(jobs, func(a, b Job) int { return compareScopes(&a.JobScope, &b.JobScope) })
		return jobs, err
	}
	jobs, err := read(f.Host)
	if err == nil && len(jobs) == 0 && f.Host != "" {
		if jobs, err = read(""); len(jobs) > 0 {
			return nil, &JobHostError{f.Name, f.Host, HostsOf(scopesOf(jobs))}
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read job %q: %w", f.Name, err)
	case len(jobs) == 0:
		return nil, fmt.Errorf("read job %q: %w", f.Name, ErrNoJob)
	}
	return jobs, nil
}

// compareScopes puts the fleet's job first, and the others by host.
func compareScopes(a, b *JobScope) int {
	switch {
	case a.Fleet == b.Fleet:
		return strings.Compare(a.Host, b.Host)
	case a.Fleet:
		return -1
	}
	return 1
}

// JobScopes returns the jobs that have a name, the fleet's first: those of all hosts, or of the filter's. It is an [ErrNoJob]
// when there is none, and a *[JobHostError] when only other hosts have one.
func JobScopes(ctx context.Context, db *DB, f JobFilter) ([]JobScope, error) {
	jobs, err := jobsNamed(ctx, db, f)
	return scopesOf(jobs), err
}

func scopesOf(jobs []Job) []JobScope {
	scopes := make([]JobScope, len(jobs))
	for i := range jobs {
		scopes[i] = jobs[i].JobScope
	}
	return scopes
}

// HostsOf returns the hosts that told of any of some jobs, sorted.
func HostsOf(scopes []JobScope) []string {
	hosts := []string{}
	for i := range scopes {
		hosts = append(hosts, scopes[i].Hosts...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
