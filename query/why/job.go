package why

import (
	"context"
	"fmt"

	"github.com/proctape/proctape/query"
)

// JobStory is what went wrong in a job, and the story of the process that it began with.
type JobStory struct {
	Job      string           `json:"job_id"`
	Scopes   []query.JobScope `json:"scopes"`
	Failures []query.Event    `json:"failures"` // ends by a signal, for want of memory or with another code than 0, oldest first; the last ones
	More     bool             `json:"more"`     // there were earlier ones
	// First is the story of the failure that the others may be of: the last death for want of memory, or else the last by a signal, or
	// else the first of the last failed exits that came shortly after one another. Nil when nothing failed.
	First *Story `json:"story"`
}

// mostFailures is how many failures of a job are told.
const mostFailures = 50

// Job tells what went wrong in the jobs of a name. It returns [query.ErrNoJob], or a *[query.JobHostError], when there is none.
func Job(ctx context.Context, db *query.DB, f query.JobFilter) (*JobStory, error) {
	return JobWithin(ctx, db, f, query.Range{Host: f.Host})
}

// JobWithin is [Job] for a part of its time, such as that of a run: of the range the host, the beginning and the end count.
func JobWithin(ctx context.Context, db *query.DB, f query.JobFilter, r query.Range) (*JobStory, error) {
	scopes, err := query.JobScopes(ctx, db, f)
	if err != nil {
		return nil, err
	}
	events := query.EventSeq(ctx, db, query.Filter{Job: f.Name, Failed: true, Range: query.Range{Host: r.Host, Since: r.Since, Until: r.Until, Reverse: true}})
	s := &JobStory{Job: f.Name, Scopes: scopes, Failures: []query.Event{}}
	for e, err := range query.WithCauses(events) {
		if err != nil {
			return nil, fmt.Errorf("tell of job %q: %w", f.Name, err)
		}
		if len(s.Failures) == mostFailures {
			s.More = true
			break
		}
		s.Failures = append([]query.Event{e}, s.Failures...)
	}
	first := firstFailure(s.Failures)
	if first == nil {
		return s, nil
	}
	s.First, err = Process(ctx, db, query.Identity{Host: first.Host, PID: first.PID, StartTicks: &first.StartTicks}, first.Timestamp)
	return s, err
}

// firstFailure picks the failure that the others may be of.
func firstFailure(failures []query.Event) (first *query.Event) {
	for _, want := range []Cause{OutOfMemory, Signalled} {
		for i := range failures {
			if causeOf(&failures[i]) == want {
				first = &failures[i]
			}
		}
		if first != nil {
			return first
		}
	}
	for i := len(failures) - 1; i >= 0; i-- {
		if first != nil && first.Timestamp-failures[i].Timestamp > aftermath {
			break
		}
		first = &failures[i]
	}
	return first
}
