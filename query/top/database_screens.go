package top

import (
	"context"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
)

// How much is read for a screen.
const (
	mostEvents = 300
	mostJobs   = 500
	mostPoints = 200
	mostRuns   = 20 // of a job
	mostDetail = 20 // episodes about one process
)

// Jobs reads jobs, the last that were seen first.
func (d *Database) Jobs(ctx context.Context, q AskJobs) (*Jobs, error) {
	jobs, err := query.Jobs(ctx, d.db, query.Range{Host: q.Host, Limit: mostJobs})
	if err != nil {
		return nil, err
	}
	slices.Reverse(jobs)
	out := &Jobs{Runs: map[string][]query.Run{}, Steps: map[string]map[int64]query.Sheet{}}
	out.Jobs = slices.DeleteFunc(jobs, func(j query.Job) bool { return j.FirstSeen != nil && *j.FirstSeen > q.At })
	for _, name := range q.Open {
		if err := addRuns(ctx, d, out, query.JobFilter{Name: name, Host: q.Host}, q.At); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addRuns adds the last runs of a job that began until a time, with their steps; of a job without runs, its steps.
func addRuns(ctx context.Context, d *Database, to *Jobs, job query.JobFilter, at float64) error {
	runs, err := query.Runs(ctx, d.db, job)
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(r query.Run) bool { return r.Started > at })
	slices.SortStableFunc(runs, func(a, b query.Run) int { return compare(b.Started, a.Started) })
	runs = runs[:min(len(runs), mostRuns)]
	for i := range runs {
		if err := query.AddSteps(ctx, d.db, &runs[i]); err != nil {
			return err
		}
	}
	if to.Runs[job.Name] = runs; len(runs) > 0 {
		return addFoundOfRuns(ctx, d, to, job, at)
	}
	p, err := query.JobProfile(ctx, d.db, job)
	if err == nil {
		to.Steps[job.Name] = p.Sheets
	}
	return err
}

// Story asks the teller.
func (d *Database) Story(ctx context.Context, q AskStory) ([]string, error) {
	text, err := d.tell(ctx, q)
	return strings.Split(strings.TrimRight(text, "\n"), "\n"), err
}

// Events reads the events before a time.
func (d *Database) Events(ctx context.Context, q AskEvents) (*Happenings, error) {
	r := query.Range{Until: q.At + 1e-6, Host: q.Host, Limit: mostEvents, Newest: true}
	events, err := query.Events(ctx, d.db, query.Filter{Range: r})
	if err != nil {
		return nil, err
	}
	out := &Happenings{}
	if out.Events, err = joined(events); err != nil {
		return nil, err
	}
	if len(events) > 0 {
		r.Since = events[0].Timestamp
		if out.Gaps, err = query.Gaps(ctx, d.db, r, ""); err != nil {
			return nil, err
		}
	}
	out.Anomalies, err = query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: r, Begun: true})
	return out, err
}

// Detail reads what is recorded of a process.
func (d *Database) Detail(ctx context.Context, q AskDetail) (*Detail, error) {
	r := query.Range{Since: q.At - coveredFor, Until: q.At + 1e-6, Host: q.ID.Host}
	points, err := query.HistoryOf(ctx, d.db, query.Identity{Host: q.ID.Host, PID: q.ID.PID, StartTicks: &q.ID.Start}, r)
	if err != nil {
		return nil, err
	}
	r.Since, r.Limit, r.Newest = 0, mostEvents, true
	events, err := query.Events(ctx, d.db, query.Filter{Range: r, PID: q.ID.PID})
	if err != nil {
		return nil, err
	}
	out := &Detail{ID: q.ID, Points: points[max(0, len(points)-mostPoints):]}
	events = slices.DeleteFunc(events, func(e query.Event) bool { return e.StartTicks != q.ID.Start })
	if out.Events, err = joined(events); err != nil {
		return nil, err
	}
	r.Limit = mostDetail
	out.Anomalies, err = query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: r, PID: q.ID.PID, Start: q.ID.Start})
	return out, err
}
