package correlate

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
)

// Question says which runs are asked of.
type Question struct {
	Job   query.JobFilter
	Since float64 // Unix seconds: only runs that began since; 0 for all
	Last  int     // the newest so many runs; 0 is [DefaultLast]
}

// How many runs are read when a question does not say, and at most.
const (
	DefaultLast = 100
	MostRuns    = 1000
)

// Read says what goes with failure and slowness over the newest runs of a job that have ended. It fails with [query.ErrNoJob] or a *[query.JobHostError].
func Read(ctx context.Context, db *query.DB, q Question) (*Answer, error) {
	if q.Last <= 0 {
		q.Last = DefaultLast
	}
	runs, left, err := endedRuns(ctx, db, &q)
	if err != nil {
		return nil, err
	}
	observed := make([]Observed, len(runs))
	for i := range runs {
		observed[i].Run = runs[i]
		c, err := query.ConditionsOf(ctx, db, timeOf(&runs[i]))
		if err != nil {
			return nil, err
		}
		observed[i].Conditions = *c
	}
	a := Of(observed, false)
	a.JobID, a.Host, a.Left = q.Job.Name, q.Job.Host, left
	a.Coverage, err = query.JobCoverage(ctx, db, q.Job)
	return a, err
}

// Condition is the word for programs of what [Advise] says.
const Condition = "goes_with"

// Advise says in a sentence for a report what stands out most over the runs of a job, with its figures: by records of runs alone, so that it costs little.
// It is empty where nothing stands out.
func Advise(ctx context.Context, db *query.DB, job query.JobFilter) (text string, evidence map[string]any, err error) {
	runs, _, err := endedRuns(ctx, db, &Question{Job: job, Last: DefaultLast})
	if err != nil {
		return "", nil, err
	}
	observed := make([]Observed, len(runs))
	for i := range runs {
		observed[i].Run = runs[i]
	}
	a := Of(observed, true)
	if text = a.Line(); text == "" {
		return "", nil, nil
	}
	return text, map[string]any{"runs": a.Runs, "correlations": append(a.StandsOut(Failure), a.StandsOut(Slowness)...)}, nil
}

// endedRuns are the runs that a question asks of, oldest first, and how many older ones it leaves out.
func endedRuns(ctx context.Context, db *query.DB, q *Question) (runs []query.Run, left int, err error) {
	if runs, err = query.Runs(ctx, db, q.Job); err != nil {
		return nil, 0, err
	}
	if len(runs) == 0 {
		if _, err := query.JobScopes(ctx, db, q.Job); err != nil {
			return nil, 0, err
		}
	}
	runs = slices.DeleteFunc(runs, func(r query.Run) bool { return r.Ended == nil || r.Started < q.Since })
	slices.SortFunc(runs, func(a, b query.Run) int {
		return cmp.Or(cmp.Compare(a.Started, b.Started), strings.Compare(a.ID, b.ID))
	})
	left = max(0, len(runs)-min(q.Last, MostRuns))
	return runs[left:], left, nil
}

// timeOf is the time of a run that has ended.
func timeOf(r *query.Run) query.JobTime {
	return query.JobTime{Job: r.JobID, Fleet: r.Fleet, Host: r.Host, From: r.Started, To: *r.Ended}
}
