package main

import (
	"fmt"
	"io"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func printPass(w io.Writer, p query.RetentionPass) error {
	fmt.Fprintf(w, "Removed in %s:\n", passDuration(p))
	printRemoved(w, p.Removed)
	if p.Error != "" {
		return fmt.Errorf("the pass failed: %s", term.Safe(p.Error))
	}
	return nil
}

func passDuration(p query.RetentionPass) time.Duration {
	return time.Duration((p.Finished - p.Started) * 1e9).Round(time.Millisecond)
}

func printRemoved(w io.Writer, r schema.Removed) {
	for _, line := range []struct {
		n    int64
		what string
	}{
		{r.Snapshots, fmt.Sprintf("snapshots, with %d process samples; %d one-minute means in their place", r.Samples, r.RollupsMade)},
		{r.Events + r.Execs + r.JobEvents + r.Anomalies, "events"}, {r.Gaps, "gaps"}, {r.Quarantined, "messages in quarantine"}, {r.RollupsDeleted, "one-minute means"},
		{r.Processes, "processes"}, {r.Jobs, "jobs"}, {r.Runs, "runs of jobs"}, {r.Messages, "messages of the log"},
		{r.LeftBehind, "other databases that the log no longer waits for"},
	} {
		fmt.Fprintf(w, "  %8d %s\n", line.n, line.what)
	}
	if r.MinutesLost > 0 {
		fmt.Fprintf(w, "  %8d minutes of hosts that could not be rolled up; the log says why\n", r.MinutesLost)
	}
	if r.Bytes > 0 {
		fmt.Fprintf(w, "  %8.1f MiB of the database file\n", float64(r.Bytes)/(1<<20))
	}
}

// passOf is a pass as projector made it, in the type that is shown.
func passOf(p retention.Pass) query.RetentionPass {
	return query.RetentionPass{Started: float64(p.Started.UnixNano()) / 1e9, Finished: float64(p.Finished.UnixNano()) / 1e9,
		Asked: p.Asked, Removed: p.Removed}
}
