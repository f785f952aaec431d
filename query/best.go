package query

import (
	"context"
	"database/sql"
	"fmt"
)

// BestTotals returns the best that is known of what the jobs of a filter used. p is the profile of the same jobs; nil for none.
func BestTotals(ctx context.Context, db *DB, f JobFilter, p *Profile) (*Best, error) {
	runs, err := Runs(ctx, db, f)
	if err != nil {
		return nil, fmt.Errorf("read what runs of job %q used: %w", f.Name, err)
	}
	b := &Best{Runs: int64(len(runs))}
	for i := range runs {
		b.add(&runs[i].Totals)
	}
	if p == nil {
		b.finish(0, 0, 0)
	} else {
		b.finish(p.CPUSeconds, p.PeakRSS, p.Exits)
	}
	return b, nil
}

// bestQuery sums up what was told of the runs of a job, source by source: a few rows, however many runs there were.
var bestQuery = `SELECT count(*), sum(cpu), cpu_source, CASE WHEN count(system) = count(cpu) THEN sum(user) END, CASE WHEN count(system) = count(cpu) THEN sum(system) END,
	max(peak), peak_source, max(group_peak) FROM (` + fmt.Sprintf(runsQuery, ofJob) + `) GROUP BY cpu_source, peak_source`

// AddBest reads what all runs of each job used by the best source that is known, of those that have ended; and what processes tell, where that is more.
func AddBest(ctx context.Context, db *DB, jobs []Job) error {
	for i := range jobs {
		j := &jobs[i]
		j.Best = new(Best)
		if j.Runs > 0 {
			err := each(ctx, db.db, bestQuery, j.key(), func(r *sql.Rows) error {
				var n int64
				var t Totals
				if err := r.Scan(&n, &t.CPUSeconds, &t.CPUSource, &t.UserCPU, &t.SystemCPU, &t.PeakRSS, &t.PeakSource, &t.GroupPeak); err != nil {
					return err
				}
				j.Best.Runs += n
				j.Best.add(&t)
				return nil
			})
			if err != nil {
				return fmt.Errorf("read what the runs of job %q used: %w", j.JobID, err)
			}
		}
		j.Best.finish(j.CPUSeconds, deref(j.PeakRSS, 0), j.Exits)
	}
	return nil
}
