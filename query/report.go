package query

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is a job's profile and what happened to its processes.
type Report struct {
	Name    string           `json:"job_id"`
	Profile *Profile         `json:"profile"` // nil when nothing was ever recorded of the job
	Counts  map[string]int64 `json:"events"`  // by type, at most a week old
	Signals []Event          `json:"signals"` // the first ten signals and kills of that week
	OOMs    []Event          `json:"ooms"`    // the first five
}

// reportedEvents is how old an event may be to count in a report.
const reportedEvents = 7 * 24 * time.Hour

// Report gathers a job's report as of now. A job that nobody ran has a report too, which says so.
func (d *DB) Report(ctx context.Context, job string, now time.Time) (*Report, error) {
	r := &Report{Name: job, Counts: map[string]int64{}}
	p, err := d.Profile(ctx, job)
	if errors.Is(err, ErrNoJob) {
		return r, nil
	} else if err != nil {
		return nil, err
	}
	if !p.seen { // announced, but no process of it was ever seen
		return r, nil
	}
	r.Profile = p
	since := Range{Since: float64(now.Add(-reportedEvents).UnixNano()) / 1e9}
	err = d.each(ctx, `SELECT event_type, count(*) FROM process_events WHERE job_id = ? AND timestamp >= ? GROUP BY event_type`,
		[]any{job, since.Since}, func(rows *sql.Rows) error {
			var name string
			var n int64
			if err := rows.Scan(&name, &n); err != nil {
				return err
			}
			r.Counts[name] = n
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("count the events of job %q: %w", job, err)
	}
	since.Limit = 10
	if r.Signals, err = d.Events(ctx, EventFilter{Range: since, Job: job, Types: []string{"signal", "kill"}}); err != nil {
		return nil, err
	}
	since.Limit = 5
	r.OOMs, err = d.Events(ctx, EventFilter{Range: since, Job: job, Types: []string{"oom"}})
	return r, err
}

// Classic is the report in the text that other tools read, byte for byte as the contract has it.
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

// HotspotNames are the system calls by time, the largest first, ties in the order in which they first appeared.
func (p *Profile) HotspotNames() []string {
	names := slices.Clone(p.hotspotOrder)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(p.Hotspots[b], p.Hotspots[a]) })
	return names
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
