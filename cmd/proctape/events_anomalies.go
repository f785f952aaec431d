package main

import (
	"cmp"
	"context"
	"iter"

	"github.com/proctape/proctape/query"
)

// withAnomalies puts what rules found between the events of a listing, as lines of the type anomaly at the time at which they began. They are for
// people: programs read them from the command anomalies.
func withAnomalies(ctx context.Context, db *query.DB, r query.Range, f query.AnomalyFilter, events iter.Seq2[query.Event, error]) iter.Seq2[query.Event, error] {
	return func(yield func(query.Event, error) bool) {
		var found []query.Event
		first := true
		for e, err := range events {
			if first && err == nil {
				first = false
				f.Range = query.Range{Since: cmp.Or(r.Since, e.Timestamp), Until: r.Until, Host: r.Host}
				if found, err = anomalyEvents(ctx, db, f); err != nil {
					yield(query.Event{}, err)
					return
				}
			}
			for len(found) > 0 && err == nil && found[0].Timestamp <= e.Timestamp {
				if !yield(found[0], nil) {
					return
				}
				found = found[1:]
			}
			if !yield(e, err) {
				return
			}
		}
		for _, a := range found {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// anomalyEvents are the episodes that began in a range, as lines of a listing of events.
func anomalyEvents(ctx context.Context, db *query.DB, f query.AnomalyFilter) ([]query.Event, error) {
	found, err := query.Anomalies(ctx, db, f)
	var lines []query.Event
	for _, a := range found {
		if a.Started < f.Since {
			continue // it goes on since before
		}
		e := query.Event{Timestamp: a.Started, Host: a.Host, Type: "anomaly", Cause: string(a.Severity), JobID: a.JobID, Fleet: a.Fleet, Sheet: a.Sheet,
			Command: a.Rule + ": " + a.Description}
		if a.PID != nil {
			e.PID = *a.PID
		}
		lines = append(lines, e)
	}
	return lines, err
}
