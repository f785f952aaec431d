package integration_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// tried is what alert test says, as far as it matters here.
type tried struct {
	Episodes []struct {
		Host  string
		About struct {
			PID        int64
			StartTicks int64 `json:"start_ticks"`
		}
		Started int64 `json:"started_ns"`
		Ended   int64 `json:"ended_ns"`
	}
	Snapshots, Samples, Minutes int64
}

// tryRule tries a rule on a recording.
func tryRule(t *testing.T, program, rule, dir string) (got tried) {
	t.Helper()
	if err := json.Unmarshal(must(exec.Command(program, "alert", "test", rule, "--data", dir, "--json").Output())(t), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// wrongOfMinutes says what a rule finds otherwise than it did while all snapshots were kept. A minute is a mean, so times are as near as two of them.
func wrongOfMinutes(before, after tried) (wrong []string) {
	near := func(a, b int64) bool { return time.Duration(max(a-b, b-a)) <= 2*time.Minute }
	switch {
	case len(before.Episodes) != 1 || before.Minutes != 0:
		wrong = append(wrong, fmt.Sprintf("while all snapshots are kept: %+v, want one episode, and no minutes", before))
	case len(after.Episodes) != 1:
		wrong = append(wrong, fmt.Sprintf("from minutes: %+v, want one episode", after.Episodes))
	default:
		b, a := before.Episodes[0], after.Episodes[0]
		if a.Host != b.Host || a.About != b.About || !near(a.Started, b.Started) || (a.Ended == 0) != (b.Ended == 0) || !near(a.Ended, b.Ended) {
			wrong = append(wrong, fmt.Sprintf("from minutes: %+v, want as from snapshots %+v", a, b))
		}
	}
	// No time is read twice, and none is left out: each snapshot of twelve a minute is there, or its minute.
	if read := after.Minutes*12 + after.Snapshots; after.Minutes == 0 || read < before.Snapshots || read > before.Snapshots+24 {
		wrong = append(wrong, fmt.Sprintf("%d minutes and %d snapshots were read, of %d snapshots", after.Minutes, after.Snapshots, before.Snapshots))
	}
	return wrong
}

var withoutMinutes = withFault("alert test without minutes", "query/past.go", "p.minutes(ctx, r); err == nil",
	`p.minutes(ctx, func(r Range) Range {
		if runsAs("alert test without minutes") {
			r.Until = 1
		}
		return r
	}(r)); err == nil`)

// TestAlert_FromMinutes tries rules on trouble of which only minutes are left, and on one that began before the first snapshot that is kept and ended after it. They find the same
// episode as from all snapshots. The control, which does not read minutes, does not.
func TestAlert_FromMinutes(t *testing.T) {
	long(t)
	t.Parallel()
	for _, of := range []struct{ rule, lasts string }{{"runaway_process", "2h"}, {"memory_pressure", "2h"}, {"leak", "3h20m"}, {"runaway_process", "67m"}}[sized(2, 0):] {
		t.Run(of.rule+" "+of.lasts, func(t *testing.T) {
			dir := quickDir(t)
			run(t, "simulate", "--data", dir, "--hosts", "1", "--processes", "20", "--jobs", "0", "--duration", of.lasts, "--rate", "fast", "--trouble", of.rule)
			run(t, "replay", "--data", dir, "--db", dir+"/monitor.db")
			before := tryRule(t, proctape, of.rule, dir)
			run(t, "retention", "run", "--data", dir, "--full-resolution-hours", "1")
			for _, wrong := range wrongOfMinutes(before, tryRule(t, proctape, of.rule, dir)) {
				t.Error(wrong)
			}
			if wrongOfMinutes(before, tryRule(t, withoutMinutes.program(t), of.rule, dir)) == nil {
				t.Error("the control, which reads no minutes, passes")
			}
		})
	}
}
