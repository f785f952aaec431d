package integration_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// atRest is how the shortest policy is given to a pass that the command makes itself.
func atRest(dir string, more ...string) []string {
	return append(append([]string{"retention", "run", "--data", dir, "--json"}, shortest...), more...)
}

// planned plans a pass over a database at rest, makes it, and plans another over what was there before: what the pass
// took lies between the plans, for time goes on. So does each plan between two others.
func (tp tape) planned(t *testing.T) {
	plan := func(dir string) schema.Removed {
		t.Helper()
		log := startLog(t, dir) // which tells when messages came
		defer log.stop()
		return decode[schema.Removed](t, run(t, atRest(dir, "--dry-run")...))[0]
	}
	work, untouched := tp.copy(t), tp.copy(t)
	before, again := plan(work), plan(work)
	did := decode[query.RetentionPass](t, run(t, atRest(work)...))[0].Removed
	after := plan(untouched)
	if again.Snapshots < before.Snapshots || again.Snapshots > after.Snapshots {
		t.Errorf("a plan took something away: %+v, then %+v, then %+v", before, again, after)
	}
	for _, c := range []struct {
		what               string
		least, did, atMost int64
	}{
		{"means made", before.RollupsMade, did.RollupsMade, after.RollupsMade}, {"snapshots", before.Snapshots, did.Snapshots, after.Snapshots},
		{"samples", before.Samples, did.Samples, after.Samples}, {"events", before.Events, did.Events, after.Events},
		{"means", before.RollupsDeleted, did.RollupsDeleted, after.RollupsDeleted}, {"processes", before.Processes, did.Processes, after.Processes},
	} {
		if c.did < c.least || c.did > c.atMost || c.did == 0 {
			t.Errorf("%s: the pass took %d, and the plans before and after say %d and %d", c.what, c.did, c.least, c.atMost)
		}
	}
	if did.Messages == 0 {
		t.Error("a pass at rest does not trim the log")
	}
	if d := tp.defects(t, work); len(d) > 0 {
		t.Errorf("after a pass at rest:\n%s", strings.Join(d, "\n"))
	}
	if left, last := plan(work), plan(untouched); left.Snapshots > last.Snapshots-did.Snapshots {
		t.Errorf("after the pass, a plan still has %d snapshots to take, of %d", left.Snapshots, last.Snapshots)
	}
}

// interrupted presses Ctrl-C on a command that waits for a recorder's pass, and on one that makes its own.
func (tp tape) interrupted(t *testing.T) {
	underWay := func(dir string) {
		t.Helper()
		await(t, "means", func() bool { return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM rollups`) > 0 })
	}
	interrupt := func(command *process, says string) {
		t.Helper()
		if err := command.cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		command.wait()
		if command.err == nil || command.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(command.stderr(), says) {
			t.Errorf("an interrupted command: %v\n%s\nwant %q", command.err, command.stderr(), says)
		}
	}
	dir := tp.copy(t)
	r := recorder(t, proctape, dir)
	ask := start(t, "retention", "run", "--data", dir)
	underWay(dir)
	interrupt(ask, "interrupted; the pass goes on")
	await(t, "the end of the pass", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM retention_passes WHERE error = ''`) == 1
	})
	r.stop()

	dir = tp.copy(t)
	own := start(t, atRest(dir)...)
	underWay(dir)
	interrupt(own, "interrupted; the next pass goes on from there")
	for _, d := range tp.failing(t, dir, always) {
		t.Error("after an interrupted pass: ", d)
	}
	tp.settle(t, dir)
}

// readGone asks for what only minutes and totals are left of.
func (tp tape) readGone(t *testing.T) {
	dir := tp.copy(t)
	db := filepath.Join(dir, "monitor.db")
	minute := time.Unix(int64(count(t, db, `SELECT CAST(max(timestamp) AS INTEGER) FROM snapshots`)), 0).Add(-90 * time.Minute).Truncate(time.Minute)
	old := []string{"--host", "alpha", "--since", fmt.Sprint(minute.Unix()), "--until", fmt.Sprint(minute.Add(10 * time.Minute).Unix()), "--limit", "0", "--json"}
	pid := count(t, db, fmt.Sprintf(`SELECT min(p.pid) FROM samples m JOIN snapshots s ON s.id = m.id >> 22 JOIN processes p ON p.id = m.process_id
		JOIN hosts h ON h.id = s.host_id WHERE h.name = 'alpha' AND s.timestamp BETWEEN %d AND %[1]d + 60`, minute.Unix()))
	history := append([]string{"history", fmt.Sprint(pid), "--data", dir}, old[2:]...)
	if n := len(decode[query.Snapshot](t, run(t, append([]string{"snapshots", "--data", dir}, old...)...))); n != 120 {
		t.Fatalf("ten minutes have %d snapshots before the pass, want 120", n)
	}
	wantJob(t, tp.truth, "full")
	run(t, atRest(dir)...)

	snapshots := decode[query.Snapshot](t, run(t, append([]string{"snapshots", "--data", dir}, old...)...))
	if len(snapshots) != 10 {
		t.Errorf("ten minutes have %d lines, want 10", len(snapshots))
	}
	for i, s := range snapshots {
		if s.Resolution != 60 || s.Samples != 12 || len(s.Processes) == 0 || s.Timestamp != float64(minute.Unix()+int64(60*i)) {
			t.Errorf("minute %d: at %.0f, of %.0f s, %d snapshots and %d processes", i, s.Timestamp, s.Resolution, s.Samples, len(s.Processes))
		}
	}
	moments := decode[query.HistoryPoint](t, run(t, history...))
	if len(moments) == 0 {
		t.Errorf("process %d has no history", pid)
	}
	for _, m := range moments {
		if m.Host == "alpha" && m.Resolution != 60 {
			t.Errorf("process %d at %.0f is of %.0f s, want 60", pid, m.Timestamp, m.Resolution)
		}
	}
	if out := run(t, append([]string{"snapshots", "--data", dir}, old[:len(old)-1]...)...); strings.Count(out, "means of one minute, 12 snapshots") != 10 {
		t.Errorf("the listing does not say that these are minutes:\n%s", out)
	}
	tp.wantTotals(t, db)
}

// wantJob checks how much of the samples of the early job are said to be there.
func wantJob(t *testing.T, db, resolution string) *query.Profile {
	t.Helper()
	p := decode[query.Profile](t, run(t, "profile", earlyJob, "--json", "--db", db))[0]
	if p.Resolution != resolution {
		t.Fatalf("the samples of job %s in %s are said to be %q, want %q", earlyJob, db, p.Resolution, resolution)
	}
	return &p
}

// wantTotals checks that what a job came to has outlived its samples.
func (tp tape) wantTotals(t *testing.T, db string) {
	t.Helper()
	got, want := wantJob(t, db, "totals"), wantJob(t, tp.truth, "full")
	want.Resolution = got.Resolution
	if g, w := fmt.Sprintf("%+v", plain(got)), fmt.Sprintf("%+v", plain(want)); g != w {
		t.Errorf("job %s came to\n%s\nwant\n%s", earlyJob, g, w)
	}
	for _, command := range []string{"profile", "report"} {
		if out := run(t, command, earlyJob, "--db", db); !strings.Contains(out, "deleted; these figures include them") {
			t.Errorf("%s does not say that the samples are gone:\n%s", command, out)
		}
	}
	classic := []string{"report", earlyJob, "--format", "classic", "--db"}
	if g, w := run(t, append(classic, db)...), run(t, append(classic, tp.truth)...); g != w {
		t.Errorf("the classic report is\n%s\nwant\n%s", g, w)
	}
}

// plain is a profile without pointers, to compare.
func plain(p *query.Profile) map[string]any {
	return map[string]any{"peak": p.PeakRSS, "cpu": p.CPUSeconds, "busiest": p.MaxCPU, "pids": p.PIDs, "exits": p.Exits,
		"first": *p.FirstSeen, "last": *p.LastSeen, "sheet": p.Sheets[1]}
}
