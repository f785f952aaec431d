package top

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
)

// How much is read for a screen.
const (
	mostEvents = 300
	mostJobs   = 500
	mostPoints = 200
)

// Jobs reads jobs, the last that were seen first.
func (d *Database) Jobs(ctx context.Context, q AskJobs) (*Jobs, error) {
	jobs, err := query.Jobs(ctx, d.db, query.Range{Host: q.Host, Limit: mostJobs})
	if err != nil {
		return nil, err
	}
	slices.Reverse(jobs)
	out := &Jobs{Steps: map[string]map[int64]query.Sheet{}}
	out.Jobs = slices.DeleteFunc(jobs, func(j query.Job) bool { return j.FirstSeen != nil && *j.FirstSeen > q.At })
	for _, name := range q.Steps {
		p, err := query.JobProfile(ctx, d.db, query.JobFilter{Name: name, Host: q.Host})
		if err != nil {
			return nil, err
		}
		out.Steps[name] = p.Sheets
	}
	return out, nil
}

// Events reads the events before a time.
func (d *Database) Events(ctx context.Context, q AskEvents) (*Happenings, error) {
	r := query.Range{Until: q.At + 1e-6, Host: q.Host, Limit: mostEvents, Newest: true}
	events, err := query.Events(ctx, d.db, query.Filter{Range: r})
	if err != nil {
		return nil, err
	}
	out := &Happenings{}
	if out.Events, err = joined(events); err != nil || len(events) == 0 {
		return out, err
	}
	r.Since = events[0].Timestamp
	out.Gaps, err = query.Gaps(ctx, d.db, r, "")
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
	out.Events, err = joined(events)
	return out, err
}
