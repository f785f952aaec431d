package main

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
)

// jobNames are the names of the jobs that were seen last.
func jobNames(ctx context.Context, db *query.DB) ([]string, error) {
	const most = 1000
	jobs, err := query.Jobs(ctx, db, query.Range{Newest: true, Limit: most})
	var names []string
	for i := range jobs {
		if !slices.Contains(names, jobs[i].JobID) { // several hosts may have the name
			names = append(names, jobs[i].JobID)
		}
	}
	return names, err
}
