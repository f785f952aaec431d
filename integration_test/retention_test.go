package integration_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// shortest is the shortest policy there is.
var shortest = []string{"--full-resolution-hours", "1", "--downsampled-days", "1", "--events-days", "1"}

// tape is a data folder at rest, most of which has left the shortest policy, and what it held before anything was taken
// away. Tests work on copies of it.
type tape struct {
	dir   string
	truth string // database of all there was
}

// earlyJob is a job of which only what is old has samples.
const earlyJob = "early"

// aged makes a tape that ends now: two busy hosts of two hours, and one of 26 hours. Under make soak it is so large
// that passes give space back.
func aged(t *testing.T) tape {
	t.Helper()
	busy, span := 40, 2*time.Hour
	if soak {
		busy, span = 150, 3*time.Hour
	}
	tp := tape{quickDir(t), filepath.Join(quickDir(t), "truth.db")}
	log := startLog(t, tp.dir)
	end := time.Now()
	alpha := newHost("alpha", busy, 1)
	alpha.procs[0].JobID, alpha.procs[0].Sheet = earlyJob, schema.Some[int64](1)
	story := slices.Concat(
		alpha.until(end, span, samplePeriod),
		newHost("beta", busy, 2).until(end, span, samplePeriod),
		newHost("slow", 20, 3).until(end, 26*time.Hour, 6*time.Minute),
	)
	slices.SortStableFunc(story, func(a, b *schema.Message) int { return cmp.Compare(a.Wall, b.Wall) })
	for batch := range slices.Chunk(story, 300) {
		log.publish(batch...)
	}
	db := filepath.Join(tp.dir, "monitor.db")
	p := projection(t, tp.dir, db)
	all := int(2*span/samplePeriod) + 26*10
	await(t, "all in the database", func() bool { return count(t, db, `SELECT count(*) FROM snapshots`) == all })
	p.stop()
	log.stop()
	run(t, "replay", "--data", tp.dir, "--db", tp.truth)
	return tp
}

// until is what a host records in a span that ends at a time.
func (h *host) until(end time.Time, span, every time.Duration) (story []*schema.Message) {
	h.wall = end.Add(-span).UnixNano()
	for range span / every {
		h.wall += int64(every - samplePeriod)
		h.uptime += int64(every - samplePeriod)
		made := h.snapshot()
		made[0].Snapshot.Interval = int64(every)
		story = append(story, made...)
	}
	return story
}

// quickDir is a folder in memory: a log on a disk waits for it at every message. A kill cannot tell the two apart.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "proctape-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copy is the tape as a data folder of its own.
func (tp tape) copy(t *testing.T) (dir string) {
	t.Helper()
	dir = quickDir(t)
	err := filepath.WalkDir(tp.dir, func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, strings.TrimPrefix(path, tp.dir))
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		case !d.Type().IsRegular(): // the socket
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// recorder starts a recorder with the shortest policy that makes no pass by itself.
func recorder(t *testing.T, program, dir string) *process {
	t.Helper()
	p := startProgram(t, program, append([]string{"up", "--data", dir, "--host", "here", "--interval", "5s", "--no-ndjson",
		"--retention-interval", "1h"}, shortest...)...)
	p.awaitLine("is recording")
	return p
}

// TestRetention has recorders and commands work on copies of one tape.
func TestRetention(t *testing.T) {
	tp := aged(t)
	t.Run("killed at random", tp.killedAtRandom)
	t.Run("a plan is what a pass does", tp.planned)
	t.Run("interrupted", tp.interrupted)
	t.Run("reads of what is gone", tp.readGone)
	t.Run("settings", tp.configured)
}

// killedAtRandom kills a recorder in its passes, wherever it is. What is young is never touched, what is old is there or
// is in exactly one minute's means, and an undisturbed pass makes of it what it would have been.
func (tp tape) killedAtRandom(t *testing.T) {
	kills := 5
	if soak {
		kills = 50
	}
	began := time.Now()
	run(t, atRest(tp.copy(t))...)
	k := killer{tp, time.Since(began), map[string]int{}, nil}
	seed := uint64(time.Now().UnixNano())
	k.random = rand.New(rand.NewPCG(seed, 0))
	for killed := 0; killed < kills; {
		dir := tp.copy(t)
		n, defects := k.disturb(t, proctape, dir, kills-killed)
		killed += n
		if len(defects) > 0 {
			t.Fatalf("seed %d, after %d kills:\n%s", seed, killed, strings.Join(defects, "\n"))
		}
		tp.settle(t, dir)
	}
	t.Logf("killed %v", k.phases)
	if work := min(k.phases[whileCondensing], k.phases[whileTidying]); work == 0 && (soak || k.phases[beforeWork]+k.phases[afterWork] == kills) {
		t.Errorf("no kill came while it worked: %v", k.phases)
	}

	// The control: a build that deletes snapshots before their means are safe.
	broken := buildBroken(t, "projector/retention_snapshots.go", "	last, err := r.publish(ctx, made)\n", `	for _, hm := range batch {
		for _, h := range hm.heads {
			if err := r.deleteSnapshots(ctx, []int64{h.id}); err != nil {
				return err
			}
		}
	}
	time.Sleep(50 * time.Millisecond)
	last, err := r.publish(ctx, made)
`)
	for range 10 {
		if _, defects := k.disturb(t, broken, tp.copy(t), 6); len(defects) > 0 {
			return
		}
	}
	t.Error("a build that deletes before it publishes was not caught in ten rounds")
}

// killer kills passes over copies of a tape.
type killer struct {
	tape
	took   time.Duration  // by a pass that is not disturbed
	phases map[string]int // where the kills came
	random *rand.Rand
}

// disturb kills a program at random moments of its passes until one comes through, or it was killed so often. It looks
// at what each kill leaves.
func (k *killer) disturb(t *testing.T, program, dir string, kills int) (killed int, defects []string) {
	t.Helper()
	for killed < kills {
		// The log gives a tick again half a minute after a recorder was killed over it: make soak has that time.
		passing := startPass(t, program, dir, killed == 0 || soak && k.random.IntN(2) == 0)
		delay := time.Duration(k.random.Int64N(int64(k.took)))
		if k.random.IntN(2) == 0 { // what comes behind the snapshots takes a short while only: aim there
			awaitTidying(t, dir, passing.command.done)
			delay /= 8
		}
		select {
		case <-passing.command.done:
			passing.end(t)
			return killed, nil
		case <-time.After(delay):
		}
		passing.kill()
		killed++
		k.phases[phase(t, dir)]++
		if defects = k.failing(t, dir, always); len(defects) > 0 {
			return killed, defects
		}
	}
	return killed, nil
}

// passing is a pass that is being made: by a recorder that a command has asked, or by the command.
type passing struct{ recorder, command *process }

func startPass(t *testing.T, program, dir string, byRecorder bool) passing {
	t.Helper()
	if byRecorder {
		r := recorder(t, program, dir)
		return passing{r, start(t, "retention", "run", "--data", dir)}
	}
	return passing{nil, startProgram(t, program, atRest(dir)...)}
}

// end checks a pass that came through.
func (p passing) end(t *testing.T) {
	t.Helper()
	if p.command.err != nil {
		t.Fatalf("the pass: %v\n%s", p.command.err, p.command.stderr())
	}
	if p.recorder != nil {
		p.recorder.stop()
	}
}

// kill kills who makes the pass. A command that only waits for it notices, and ends.
func (p passing) kill() {
	victim := p.command
	if p.recorder != nil {
		victim = p.recorder
	}
	victim.cmd.Process.Kill()
	<-victim.done
	p.command.wait()
}

// awaitTidying waits until a pass has come behind the old snapshots, or has ended.
func awaitTidying(t *testing.T, dir string, ended <-chan struct{}) {
	t.Helper()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for phase(t, dir) != whileTidying {
		select {
		case <-ended:
			return
		case <-tick.C:
		case <-deadline:
			t.Fatalf("a pass has not come through in five minutes: %s", run(t, "retention", "status", "--data", dir))
		}
	}
}

// settle makes an undisturbed pass and compares all there is with what it should be.
func (tp tape) settle(t *testing.T, dir string) {
	t.Helper()
	passes := decode[query.Pass](t, run(t, atRest(dir)...))
	if len(passes) != 1 || passes[0].Error != "" {
		t.Errorf("the last pass: %+v", passes)
	}
	if d := tp.defects(t, dir); len(d) > 0 {
		t.Errorf("after an undisturbed pass:\n%s", strings.Join(d, "\n"))
	}
	if out, err := exec.Command(proctape, "verify", "--data", dir, "--replay").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Equal")) {
		t.Errorf("verify: %v\n%s", err, out)
	}
	oldest := count(t, filepath.Join(dir, "monitor.db"), `SELECT min(id) FROM snapshots`)
	if first := firstSequence(t, dir, schema.StreamSnapshots); first != uint64(oldest) {
		t.Errorf("the log of snapshots begins at %d, want at %d, the oldest that the database has", first, oldest)
	}
}

// firstSequence is where a stream of a log at rest begins.
func firstSequence(t *testing.T, dir, stream string) uint64 {
	t.Helper()
	log := startLog(t, dir)
	defer log.stop()
	return log.first(stream)
}

// first is where a stream begins.
func (l *logServer) first(stream string) uint64 {
	l.t.Helper()
	return must(l.js.Stream(context.Background(), stream))(l.t).CachedInfo().State.FirstSeq
}

// Where a kill can come.
const (
	beforeWork      = "before it deleted"
	whileCondensing = "while it deleted snapshots"
	whileTidying    = "while it deleted the rest, trimmed and gave space back"
	afterWork       = "after all"
)

// phase tells from what a recorder left how far its pass was.
func phase(t *testing.T, dir string) string {
	t.Helper()
	db := filepath.Join(dir, "monitor.db")
	old := fmt.Sprintf(`SELECT count(*) FROM snapshots WHERE timestamp < %d`, time.Now().Add(-time.Hour-2*time.Minute).Unix())
	switch {
	case count(t, db, `SELECT count(*) FROM rollups`) == 0:
		return beforeWork
	case count(t, db, old) > 0:
		return whileCondensing
	case count(t, db, `SELECT count(*) FROM retention_passes`) == 0:
		return whileTidying
	}
	return afterWork
}
