package export

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/proctape/proctape/query"
)

// readGaps returns the gaps that overlap the range, also those that go on at its end, in the order in which they were noticed.
func readGaps(ctx context.Context, db *query.DB, q Question) ([]query.Gap, error) {
	r := query.Range{Since: q.Since, Until: q.Until, Host: q.Host}
	gaps, err := query.Gaps(ctx, db, r, "")
	if err != nil {
		return nil, err
	}
	silences, err := query.Silences(ctx, db, q.Until, q.Host)
	if err != nil {
		return nil, err
	}
	return append(gaps, silences...), nil
}

// readRuns returns the runs that overlap the range, with their steps, by when they began.
func readRuns(ctx context.Context, db *query.DB, q Question) ([]query.Run, error) {
	names := []string{q.Job}
	if q.Job == "" {
		jobs, err := query.Jobs(ctx, db, query.Range{Since: q.Since, Host: q.Host})
		if err != nil {
			return nil, err
		}
		names = names[:0]
		for i := range jobs {
			names = append(names, jobs[i].JobID)
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	var all []query.Run
	for _, name := range names {
		runs, err := query.Runs(ctx, db, query.JobFilter{Name: name, Host: q.Host})
		if err != nil {
			return nil, err
		}
		for i := range runs {
			if r := &runs[i]; !overlaps(r, q) {
				continue
			} else if err := query.CompleteRun(ctx, db, r); err != nil {
				return nil, err
			}
			all = append(all, runs[i])
		}
	}
	slices.SortStableFunc(all, func(a, b query.Run) int {
		return cmp.Or(cmp.Compare(a.Started, b.Started), cmp.Compare(a.JobID, b.JobID), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// overlaps reports whether a run went on within the range.
func overlaps(r *query.Run, q Question) bool {
	end := math.Inf(1)
	if r.Ended != nil {
		end = *r.Ended
	}
	return r.Started < q.Until && end >= q.Since
}
