package integration_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

var keepsLeftovers = withFault("keeps-leftovers", "embedded-nats/check.go",
	`if err := sweep(c.dir, c.aside, c.log); err != nil {`,
	`if runsAs("keeps-leftovers") {
	} else if err := sweep(c.dir, c.aside, c.log); err != nil {`,
	`if err := d.checkMeta(c.aside, c.log); err != nil {`,
	`check := func() error { return d.checkMeta(c.aside, c.log) }
		if runsAs("keeps-leftovers") {
			check = func() error { return d.checkDurables(c.log) }
		}
		if err := check(); err != nil {`)

// TestDamage_AtAStart: what a killed server leaves in the store is swept, and the description of a stream with a wrong bit is
// mended, once. The control is a build that does neither.
func TestDamage_AtAStart(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 3, 1), 10)
	leftovers := []string{"_test_42", "$G/streams/" + schema.StreamEvents + "/msgs/1.blk.tmp"}
	damaged := func() string {
		data := copyLog(t, log.dir)
		for _, name := range leftovers {
			if err := os.WriteFile(filepath.Join(data, "jetstream", name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		meta := filepath.Join(data, "jetstream", "$G", "streams", schema.StreamSnapshots, "meta.inf")
		b := must(os.ReadFile(meta))(t)
		b[len(b)/2] ^= 2
		if err := os.WriteFile(meta, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return data
	}
	left := func(data string) (n int) {
		for _, name := range leftovers {
			if _, err := os.Lstat(filepath.Join(data, "jetstream", name)); err == nil {
				n++
			}
		}
		return n
	}
	data := damaged()
	for i, want := range []string{"is mended", ""} {
		snapshots, said := snapshotsReplayed(t, proctape, data)
		if snapshots != 10 || left(data) > 0 || want == "" && strings.Contains(said, "mended") || !strings.Contains(said, want) {
			t.Errorf("start %d: %d snapshots of 10, %d leftovers, said:\n%s", i+1, snapshots, left(data), said)
		}
	}

	data = damaged()
	broken := keepsLeftovers.program(t)
	for i := range 2 {
		if snapshots, said := snapshotsReplayed(t, broken, data); snapshots == 10 || left(data) == 0 {
			t.Errorf("start %d of a build that checks neither: %d snapshots of 10, %d leftovers: this test catches nothing\n%s", i+1, snapshots, left(data), said)
		}
	}
}

// snapshotsReplayed is how many snapshots a new replay of a log has, and what it said; -1 when it failed.
func snapshotsReplayed(t *testing.T, program, data string) (int, string) {
	t.Helper()
	db := filepath.Join(t.TempDir(), "r.db")
	out, err := exec.Command(program, "replay", "--data", data, "--db", db).CombinedOutput()
	if err != nil {
		return -1, string(out)
	}
	return snapshotsOf(t, db, "alpha"), string(out)
}

var watchesNoStream = withFault("watches-no-stream", "embedded-nats/vanish.go",
	`	for _, cfg := range w.server.cfg.Streams {
`,
	`	for _, cfg := range w.server.cfg.Streams {
		if runsAs("watches-no-stream") {
			break
		}
`)

// TestDamage_StreamDeleted deletes a stream under a recorder: it is made again within seconds, and told, and the others go on.
// The control is a build that does not look for it.
func TestDamage_StreamDeleted(t *testing.T) {
	t.Parallel()
	long(t)
	took, ok := deleteStream(t, proctape, func(time.Duration) bool { return false })
	if !ok {
		t.Errorf("the stream is not made again")
	}
	limit := max(3*took, 10*time.Second)
	broken := watchesNoStream.program(t)
	if _, ok := deleteStream(t, broken, func(since time.Duration) bool { return since > limit }); ok {
		t.Error("a build that does not look makes the stream again too: this test catches nothing")
	}
}

// deleteStream deletes a stream under a recorder, and reports whether it is made again, and after how long, before it gives up.
func deleteStream(t *testing.T, program string, giveUp func(time.Duration) bool) (took time.Duration, again bool) {
	t.Helper()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	p := startProgram(t, program, "up", "--data", dir, "--interval", "200ms", "--host", "alpha")
	await(t, "snapshots", func() bool { return snapshotsOf(t, db, "alpha") >= 5 })
	js := dialLog(t, dir)
	if err := js.DeleteStream(t.Context(), schema.StreamEvents); err != nil {
		t.Fatal(err)
	}
	began, before := time.Now(), snapshotsOf(t, db, "alpha")
	await(t, "the stream again", func() bool {
		_, err := js.Stream(t.Context(), schema.StreamEvents)
		again = err == nil
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Fatal(err)
		}
		return again || giveUp(time.Since(began))
	})
	took = time.Since(began)
	if again {
		await(t, "the gap, and more snapshots", func() bool {
			return gapsOf(t, db, schema.GapStreamRecreated) == 1 && snapshotsOf(t, db, "alpha") >= before+5
		})
		p.stop()
	}
	return took, again
}

// TestDamage_KilledStarts kills a recorder at random in the first second of its starts, a few times, two hundred under make
// soak. Whatever a start was at, the next goes on from it: what the log has is all folded, once, and no start needs help.
func TestDamage_KilledStarts(t *testing.T) {
	long(t)
	t.Parallel()
	kills := 6
	if soak {
		kills = 200
	}
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	roll := rand.New(rand.NewPCG(2026, 20))
	args := []string{"up", "--data", dir, "--interval", "100ms", "--host", "alpha"}
	for i := range kills {
		p := start(t, args...)
		<-time.After(time.Duration(roll.Int64N(int64(time.Second)))) // where a start is then is what is tried
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatalf("start %d ended by itself: %v\n%s", i, err, p.stderr())
		}
		p.wait()
		if said := p.stderr(); strings.Contains(said, "level=ERROR") || strings.Contains(said, "error:") {
			t.Errorf("start %d: %s", i, said)
		}
	}
	p := start(t, args...)
	await(t, "snapshots of the last start", func() bool {
		_, err := os.Stat(db)
		return err == nil && snapshotsOf(t, db, "alpha") > 0 && count(t, db, `SELECT coalesce(max(seq), 0) FROM snapshots`) >= 20
	})
	p.stop()
	if n := gapsOf(t, db, schema.GapLogDamaged, schema.GapStreamHole, schema.GapQuarantined, schema.GapMissing); n > 0 {
		t.Errorf("%d gaps of the log after kills that damage nothing", n)
	}
	if n := count(t, db, `SELECT count(*) FROM (SELECT 1 FROM snapshots GROUP BY instance, seq HAVING count(*) > 1)`); n > 0 {
		t.Errorf("%d snapshots are there twice", n)
	}
	if files := must(filepath.Glob(filepath.Join(dir, "lives", "*")))(t); len(files) != 1 {
		t.Errorf("files of lives: %v, want that of the last alone", files)
	}
	replayed := filepath.Join(t.TempDir(), "r.db")
	run(t, "replay", "--data", dir, "--db", replayed)
	for _, table := range []string{"snapshots", "samples", "process_events", "gaps"} {
		query := fmt.Sprintf(`SELECT count(*) FROM %s`, table)
		if live, again := count(t, db, query), count(t, replayed, query); live != again {
			t.Errorf("%s: %d rows, and %d after a replay", table, live, again)
		}
	}
}
