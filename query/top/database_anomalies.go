package top

import (
	"context"
	"math"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// How many episodes are read for a frame and beside other rows, and how many marks for a time line.
const (
	mostOpen  = 1000
	mostFound = 8
	mostMarks = 20_000 // deaths, or episodes, on a time line
)

// addAnomalies adds the episodes that go on at the time, to the rows which they are about too, and the last that began.
func addAnomalies(ctx context.Context, d *Database, f *Frame, host string) error {
	until := math.Nextafter(f.At, math.Inf(1))
	open, err := query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: query.Range{Since: f.At, Until: until, Host: host, Limit: mostOpen, Newest: true}})
	if err != nil {
		return err
	}
	f.Anomalies = slices.DeleteFunc(open, func(a query.Anomaly) bool { return !goesOn(&a, f.At) })
	byID := map[ID]*query.Anomaly{}
	for i := range f.Anomalies {
		a := &f.Anomalies[i]
		if id, of := aboutProcess(a); of && (byID[id] == nil || a.Severity.Rank() > byID[id].Severity.Rank()) {
			byID[id] = a
		}
	}
	for i := range f.Rows {
		if a := byID[f.Rows[i].ID()]; a != nil {
			f.Rows[i].Severity = a.Severity
		}
	}
	f.Found, err = query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: query.Range{Since: f.At - coveredFor, Until: until, Host: host, Limit: mostFound, Newest: true}, Begun: true})
	return err
}

// addFoundOfRuns adds the episodes about the runs of a job that are listed.
func addFoundOfRuns(ctx context.Context, d *Database, to *Jobs, job query.JobFilter, at float64) error {
	runs := to.Runs[job.Name]
	r := query.Range{Since: runs[len(runs)-1].Started, Until: math.Nextafter(at, math.Inf(1)), Host: job.Host, Limit: mostOpen, Newest: true}
	found, err := query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: r, Job: job.Name})
	to.Found = append(to.Found, slices.DeleteFunc(found, func(a query.Anomaly) bool { return a.Kind != schema.AboutRun })...)
	return err
}

// addFound marks the starts of episodes on a time line.
func addFound(ctx context.Context, d *Database, l *Line, r query.Range) error {
	r.Limit, r.Newest = mostMarks, true
	found, err := query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: r, Begun: true})
	for i := range found {
		a := &found[i]
		if at, ok := l.at(a.Started); ok && a.Severity.Rank() >= l.Cells[at].Anomaly.Rank() {
			l.Cells[at].Anomaly = a.Severity
		}
	}
	return err
}

// stepAnomaly is the next start of an episode from a time on, or the one before; 0 when there is none.
func stepAnomaly(ctx context.Context, d *Database, r query.Range) (float64, error) {
	found, err := query.Anomalies(ctx, d.db, query.AnomalyFilter{Range: r, Begun: true})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0].Started, nil
}
