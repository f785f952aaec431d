// Package report gathers what is known of one job: a database and a job's name go in, its profile and what happened to its
// processes come out, as values or as the text that other tools read.
package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
)

// Report is a job's profile and what happened to its processes.
type Report struct {
	Name    string           `json:"job_id"`
	Profile *query.Profile   `json:"profile"` // nil when nothing was ever recorded of the job
	Counts  map[string]int64 `json:"events"`  // by type, at most a week old
	Signals []query.Event    `json:"signals"` // the first ten signals and kills of that week
	OOMs    []query.Event    `json:"ooms"`    // the first five
	// Best is what all runs used by the best source that is known; the Profile has what processes tell. Nil when nothing was recorded.
	Best *query.Best `json:"best_totals"`
	// Coverage is how much is known of the time of the job, on each host that told of it.
	Coverage []query.Coverage `json:"coverage"`
}

// eventAge is how old an event may be to count in a report.
const eventAge = 7 * 24 * time.Hour

// Read gathers the report of the jobs of a name as of now: of all hosts, or of the filter's. A job that nobody ran has a report
// too: its Profile is nil, and its text says so. It is a *[query.JobHostError] when only other hosts have the job.
func Read(ctx context.Context, db *query.DB, job query.JobFilter, now time.Time) (*Report, error) {
	r := &Report{Name: job.Name, Counts: map[string]int64{}, Coverage: []query.Coverage{}}
	p, err := query.JobProfile(ctx, db, job)
	if errors.Is(err, query.ErrNoJob) {
		return r, nil
	} else if err != nil {
		return nil, err
	}
	if !p.HasProcesses() { // somebody told of the job, and no process of it was ever seen
		if r.Best, err = query.BestTotals(ctx, db, job, nil); r.Best != nil && r.Best.Runs == 0 {
			r.Best = nil
		}
		return r, err
	}
	if r.Best, err = query.BestTotals(ctx, db, job, p); err != nil {
		return nil, err
	}
	r.Profile, r.Coverage = p, p.Coverage
	since := query.Range{Host: job.Host, Since: float64(now.Add(-eventAge).UnixNano()) / 1e9}
	if r.Counts, err = query.EventCounts(ctx, db, job, since.Since); err != nil {
		return nil, err
	}
	since.Limit = 10
	if r.Signals, err = query.Events(ctx, db, query.Filter{Range: since, Job: job.Name, Types: []string{"signal", "kill"}}); err != nil {
		return nil, err
	}
	since.Limit = 5
	r.OOMs, err = query.Events(ctx, db, query.Filter{Range: since, Job: job.Name, Types: []string{"oom"}})
	return r, err
}

// Classic is the report as text, byte for byte as the contract has it. It says "sheet" for a step. It is not made safe to
// print on a terminal: names and details of processes stand in it as they are (see package term).
func (r *Report) Classic() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Resource Profile for job '%s':\n", r.Name)
	if r.Profile == nil {
		b.WriteString("  No profiler data available.\n")
		return b.String()
	}
	p := r.Profile
	fmt.Fprintf(&b, "  Peak memory: %.1f MB\n  Process spawns: %d\n  Unique PIDs observed: %d\n", p.PeakRSS, p.Spawns, p.PIDs)
	r.classicSheets(&b)
	r.classicHotspots(&b)
	r.classicEvents(&b)
	return b.String()
}

func (r *Report) classicSheets(b *strings.Builder) {
	if len(r.Profile.Sheets) == 0 {
		return
	}
	b.WriteString("\n  Per-sheet resource peaks:\n")
	for _, n := range slices.Sorted(maps.Keys(r.Profile.Sheets)) {
		s := r.Profile.Sheets[n]
		fmt.Fprintf(b, "    Sheet %d: peak RSS %.1f MB, max CPU %.0f%%\n", n, s.PeakRSS, s.MaxCPU)
	}
}

func (r *Report) classicHotspots(b *strings.Builder) {
	names := r.Profile.HotspotNames()
	if len(names) == 0 {
		return
	}
	b.WriteString("\n  Syscall hotspots (cumulative time %):\n")
	for _, name := range names[:min(10, len(names))] {
		fmt.Fprintf(b, "    %s: %.1f%%\n", name, r.Profile.Hotspots[name])
	}
}

func (r *Report) classicEvents(b *strings.Builder) {
	if n := r.Counts["signal"] + r.Counts["kill"]; n > 0 {
		fmt.Fprintf(b, "\n  Signals sent: %d\n", n)
		for _, e := range r.Signals {
			signal := ""
			if e.Signal != nil && *e.Signal != 0 {
				signal = fmt.Sprintf("signal=%d", *e.Signal)
			}
			fmt.Fprintf(b, "    PID %d %s %s\n", e.PID, signal, e.Details)
		}
	}
	if n := r.Counts["oom"]; n > 0 {
		fmt.Fprintf(b, "\n  OOM events: %d\n", n)
		for _, e := range r.OOMs {
			fmt.Fprintf(b, "    PID %d: %s\n", e.PID, e.Details)
		}
	}
	if spawns := r.Counts["spawn"]; spawns > 0 {
		fmt.Fprintf(b, "\n  Process lifecycle: %d spawns, %d exits\n", spawns, r.Counts["exit"])
	}
}
