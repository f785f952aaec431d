package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/top"
	"github.com/proctape/proctape/query/why"
)

// teller tells the screen of top what why and report tell.
func teller(db *query.DB) top.Teller {
	return func(ctx context.Context, q top.AskStory) (string, error) {
		var text strings.Builder
		if q.Job == "" {
			story, err := why.Process(ctx, db, query.Identity{Host: q.ID.Host, PID: q.ID.PID, StartTicks: &q.ID.Start}, q.At)
			if errors.Is(err, why.ErrNoProcess) {
				return "Nothing is recorded of it until this time.", nil
			} else if err != nil {
				return "", err
			}
			err = printStory(&text, story)
			return text.String(), err
		}
		job := query.JobFilter{Name: q.Job, Host: q.Host}
		run, err := runUntil(ctx, db, job, q)
		if err != nil {
			return "", err
		}
		r, err := report.ReadRun(ctx, db, job, run, time.UnixMilli(int64(q.At*1000)))
		if err == nil {
			err = r.Text(&text, q.Width)
		}
		return text.String(), err
	}
}

// runUntil is the run that is asked for: without one, the last that had begun by the time; empty where none is recorded.
func runUntil(ctx context.Context, db *query.DB, job query.JobFilter, q top.AskStory) (string, error) {
	if q.Run != "" {
		return q.Run, nil
	}
	runs, err := query.Runs(ctx, db, job)
	if err != nil {
		return "", err
	}
	last := -1
	for i := range runs {
		if runs[i].Host == q.Host && runs[i].Started <= q.At && (last < 0 || runs[i].Started >= runs[last].Started) {
			last = i
		}
	}
	if last < 0 {
		return "", nil
	}
	return runs[last].ID, nil
}
