package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// beginsInSilence has no line when trouble begins, and endsInSilence none when it ends.
var (
	beginsInSilence = withFault("begins-in-silence", "schema/trouble/reporter.go",
		`		e.said = true
		r.say(e)`,
		`		e.said = true
		if !runsAs("begins-in-silence") {
			r.say(e)
		}`)
	endsInSilence = withFault("ends-in-silence", "schema/trouble/reporter.go",
		`	r.log.Warn(info.over, args...)`,
		`	if !runsAs("ends-in-silence") {
		r.log.Warn(info.over, args...)
	}`)
)

// spell is a kind of trouble that a recorder is brought into and out of again. It makes p say it; over waits until what follows from its end is there.
type spell func(t *testing.T, program string) (p *process, over func())

// TestTrouble_Spells brings whole recorders into trouble and out again. Each has one line when it began, with the reason, and one when it ended, with
// how long it took and what it cost. The controls are a build that has no line at the beginning, and one that has none at the end.
func TestTrouble_Spells(t *testing.T) {
	long(t)
	t.Parallel()
	for kind, bring := range map[string]spell{"sampling": bringSampling, "over_cap": bringOverCap, "losing": bringLosing} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind != "sampling" && !soak {
				t.Skip("SKIPPED: PROCTAPE_SOAK is not set, and it takes minutes until a spool or a database is full three times")
			}
			began := func(p *process) int { return toldOf(p, kind, "reason=") }
			ended := func(p *process) int { return toldOf(p, kind, "took=") }

			p, over := bring(t, proctape)
			await(t, "the line of its beginning", func() bool { return began(p) > 0 })
			over()
			await(t, "the line of its end", func() bool { return ended(p) > 0 })
			if began(p) != 1 || ended(p) != 1 || toldOf(p, kind, "cost=") != 1 {
				t.Errorf("it began in %d lines and ended in %d, want one of each, and what it cost:\n%s", began(p), ended(p), p.stderr())
			}
			p.stop()

			p, over = bring(t, beginsInSilence.program(t))
			over()
			await(t, "the line of its end", func() bool { return ended(p) > 0 })
			if began(p) != 0 {
				t.Errorf("the build that begins in silence says it: this test catches nothing:\n%s", p.stderr())
			}
			p.stop()

			p, over = bring(t, endsInSilence.program(t))
			await(t, "the line of its beginning", func() bool { return began(p) > 0 })
			over()
			p.stop()
			if ended(p) != 0 {
				t.Errorf("the build that ends in silence says it: this test catches nothing:\n%s", p.stderr())
			}
		})
	}
}

// toldOf counts the lines of a kind of trouble that have a word.
func toldOf(p *process, kind, word string) (n int) {
	for line := range strings.Lines(p.stderr()) {
		if strings.Contains(line, "kind="+kind+" ") && strings.Contains(line, word) {
			n++
		}
	}
	return n
}

// bringSampling takes the folder of processes away from a recorder.
func bringSampling(t *testing.T, program string) (*process, func()) {
	t.Helper()
	dir := t.TempDir()
	proc := filepath.Join(dir, "proc")
	put := func() {
		t.Helper()
		if err := os.CopyFS(proc, os.DirFS("../producer/procfs/testdata/proc")); err != nil {
			t.Fatal(err)
		}
	}
	put()
	recorder := startProgram(t, program, "up", "--data", dir, "--proc", proc, "--host", "here", "--interval", "300ms", "--events", "proc-diff")
	recorder.awaitLine("is recording")
	db := filepath.Join(dir, "monitor.db")
	stored := func() int { return count(t, db, `SELECT coalesce(max(id), 0) FROM snapshots`) }
	await(t, "snapshots", func() bool { return stored() >= 3 })
	if err := os.RemoveAll(proc); err != nil {
		t.Fatal(err)
	}
	awaitCheck(t, dir, 1, "cannot be taken")
	before := stored()
	return recorder, func() {
		t.Helper()
		put()
		await(t, "more snapshots", func() bool { return stored() >= before+5 })
		awaitCheck(t, dir, 0, "well")
	}
}

// bringOverCap gives a recorder a log that is more than its database may hold.
func bringOverCap(t *testing.T, program string) (*process, func()) {
	t.Helper()
	dir := t.TempDir()
	log := startLog(t, dir)
	h := newHost("alpha", 400, 1)
	log.publish(h.until(time.Now(), time.Hour, samplePeriod)...)
	log.stop()
	recorder := startProgram(t, program, "up", "--data", dir, "--host", "here", "--interval", "5s", "--no-ndjson", "--max-db-mb", "16", "--retention-interval", "1h")
	recorder.awaitLine("is recording")
	db := filepath.Join(dir, "monitor.db")
	all := int(time.Hour / samplePeriod)
	await(t, "all in the database", func() bool {
		return count(t, db, `SELECT coalesce(max(seq), 0) FROM checkpoints WHERE stream = '`+schema.StreamSnapshots+`'`) >= all
	})
	run(t, "retention", "run", "--data", dir)
	awaitCheck(t, dir, 1, "above its cap")
	return recorder, func() {
		t.Helper()
		run(t, "retention", "run", "--data", dir) // which finds that there is no more than may be
		awaitCheck(t, dir, 0, "well")
		if n := count(t, db, `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`); n > 16<<20 {
			t.Errorf("the database holds %d bytes", n)
		}
	}
}

// bringLosing takes the log away from a sampler until more waits than it may keep.
func bringLosing(t *testing.T, program string) (*process, func()) {
	t.Helper()
	dir := t.TempDir()
	recorder := record(t, proctape, dir)
	db, lives := filepath.Join(dir, "monitor.db"), filepath.Join(dir, "lives")
	sampler := startProgram(t, program, "sample", "--data", dir, "--host", "beta", "--interval", "100ms", "--events", "proc-diff", "--spool-mb", "1")
	await(t, "snapshots of the sampler", func() bool { return snapshotsOf(t, db, "beta") >= 3 })
	recorder.stop()
	await(t, "as much on disk as may be", func() bool { return spool.DepthOf(lives).Bytes > 900<<10 })
	return sampler, func() {
		t.Helper()
		record(t, proctape, dir)
		missing := func() int {
			return count(t, db, `SELECT coalesce(sum(missing), 0) FROM producers WHERE instance IN (SELECT instance FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name = 'beta'))`)
		}
		await(t, "the loss in the database", func() bool { return spool.DepthOf(lives).Items == 0 && missing() > 0 })
		if said := fmt.Sprintf(`cost="%d items lost"`, missing()); program == proctape {
			await(t, said, func() bool { return strings.Contains(sampler.stderr(), said) })
		}
	}
}
