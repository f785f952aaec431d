package estimate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// DefaultLast is how many runs an estimate is of when nobody says, and MostRuns how many at most.
const (
	DefaultLast = 100
	MostRuns    = 1000
)

// Question says which runs an estimate is made of.
type Question struct {
	Job   query.JobFilter
	Since float64 // Unix seconds: only runs that began since; 0 for all
	Last  int     // the newest so many runs; 0 is [DefaultLast]
}

// Read makes an estimate of the newest runs of a job that have ended, as of now. It fails with [query.ErrNoJob] or a *[query.JobHostError].
func Read(ctx context.Context, db *query.DB, q Question, now time.Time) (*Estimate, error) {
	if q.Last <= 0 {
		q.Last = DefaultLast
	}
	runs, err := query.Runs(ctx, db, q.Job)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		if _, err := query.JobScopes(ctx, db, q.Job); err != nil {
			return nil, err
		}
	}
	runs = slices.DeleteFunc(runs, func(r query.Run) bool { return r.Ended == nil || r.Started < q.Since })
	slices.SortFunc(runs, func(a, b query.Run) int {
		return cmp.Or(cmp.Compare(a.Started, b.Started), strings.Compare(a.ID, b.ID))
	})
	runs = runs[max(0, len(runs)-min(q.Last, MostRuns)):]
	for i := range runs {
		if err := query.AddSteps(ctx, db, &runs[i]); err != nil {
			return nil, err
		}
	}
	e := Of(runs)
	e.JobID, e.Host = q.Job.Name, q.Job.Host
	if e.Failed > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("of the runs %d failed, and do not count: one that needs what those needed may fail as they did", e.Failed))
	}
	if e.Coverage, err = query.JobCoverage(ctx, db, q.Job); err != nil {
		return nil, err
	}
	e.Context, err = Contexts(ctx, db, q.Job, now)
	return e, err
}

// Contexts says how hosts are at a time, each by its newest snapshot, and what a job uses there: all hosts that were heard of within an hour, or the filter's.
func Contexts(ctx context.Context, db *query.DB, job query.JobFilter, at time.Time) ([]Context, error) {
	hosts, err := query.ProcessesAt(ctx, db, float64(at.UnixNano())/1e9, query.Filter{Job: job.Name, Range: query.Range{Host: job.Host}})
	if err != nil {
		return nil, err
	}
	out := []Context{}
	for i := range hosts {
		h := &hosts[i]
		if h.Resolution > 0 { // a minute is no state
			continue
		}
		c := Context{Host: h.Host, Timestamp: h.Timestamp, Age: h.Old, Processes: len(h.Processes), DaemonRSS: h.DaemonRSS, Pressure: h.PressureLevel, Jobs: h.RunningJobs, Steps: h.ActiveSheets}
		if !slices.Contains(h.Unknown, "system_memory_available_mb") && !slices.Contains(h.Unknown, "system_memory_total_mb") {
			c.Available, c.Total = &h.MemAvail, &h.MemTotal
		}
		c.add(h.Processes)
		if c.Anomalies, err = active(ctx, db, job.Name, h.Host); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// active are the types of the episodes that go on of a job and of a host.
func active(ctx context.Context, db *query.DB, job, host string) ([]string, error) {
	open, err := query.Anomalies(ctx, db, query.AnomalyFilter{Range: query.Range{Host: host}, Open: true})
	if err != nil {
		return nil, err
	}
	types := []string{}
	for i := range open {
		if a := &open[i]; a.JobID != nil && *a.JobID == job || a.Kind == schema.AboutHost {
			types = append(types, a.Type)
		}
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}

// add adds what processes of the job use.
func (c *Context) add(processes []query.Process) {
	times, sum := map[string]float64{}, 0.0
	for i := range processes {
		p := &processes[i]
		c.RSS += p.RSS
		if !slices.Contains(p.Unknown, "cpu_percent") {
			cpu := p.CPUPercent
			if c.CPU != nil {
				cpu += *c.CPU
			}
			c.CPU = &cpu
		}
		var of map[string]float64
		if json.Unmarshal(p.SyscallTimes, &of) == nil {
			for name, share := range of {
				times[name], sum = times[name]+share, sum+share
			}
		}
	}
	top := ""
	for name, share := range times {
		if top == "" || share > times[top] || share == times[top] && name < top {
			top = name
		}
	}
	if top != "" && sum > 0 {
		text := fmt.Sprintf("%s %.0f%%", top, 100*times[top]/sum)
		c.Hotspot = &text
	}
}
