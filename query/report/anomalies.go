package report

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
)

// mostAnomalies is how many anomalies a report tells.
const mostAnomalies = 10

// readAnomalies reads what rules found of the job of a run in its time. isOf says which of the job's processes are the run's.
func readAnomalies(ctx context.Context, db *query.DB, r *RunReport, job query.JobTime, now float64, isOf func(pid, start int64) bool) error {
	until := now
	if r.Ended != nil {
		until = *r.Ended + 1 // what is found of a run starts when it ends
	}
	found, err := query.Anomalies(ctx, db, query.AnomalyFilter{Range: query.Range{Host: job.Host, Since: r.Started, Until: until, Limit: mostAnomalies}, Job: job.Job})
	r.Anomalies = slices.DeleteFunc(found, func(a query.Anomaly) bool {
		return a.Run != nil && *a.Run != r.ID || a.PID != nil && a.StartTicks != nil && !isOf(*a.PID, *a.StartTicks)
	})
	return err
}
