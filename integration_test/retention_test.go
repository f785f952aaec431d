package integration_test

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
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

// aged makes a tape that ends now: a busy host of two hours, one that is sampled less often, and one of 26 hours. Under
// make soak both of two hours are busy, and it is so large that passes give space back.
func aged(t *testing.T) tape {
	t.Helper()
	busy, span, beta := 16, 2*time.Hour, 30*time.Second
	if soak {
		busy, span, beta = 60, 3*time.Hour, samplePeriod
	}
	tp := tape{quickDir(t), filepath.Join(quickDir(t), "truth.db")}
	log := startLog(t, tp.dir)
	end := time.Now()
	alpha := newHost("alpha", busy, 1)
	alpha.procs[0].JobID, alpha.procs[0].Sheet = earlyJob, schema.Some[int64](1)
	story := slices.Concat(
		alpha.until(end, span, samplePeriod),
		newHost("beta", busy, 2).until(end, span, beta),
		newHost("slow", 20, 3).until(end, 26*time.Hour, 6*time.Minute),
	)
	slices.SortStableFunc(story, func(a, b *schema.Message) int { return cmp.Compare(a.Wall, b.Wall) })
	for batch := range slices.Chunk(story, 300) {
		log.publish(batch...)
	}
	db := filepath.Join(tp.dir, "monitor.db")
	p := projection(t, tp.dir, db)
	all := int(span/samplePeriod+span/beta) + 26*10
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
	long(t)
	t.Parallel()
	tp := aged(t)
	t.Run("killed at random", tp.killedAtRandom)
	t.Run("a plan is what a pass does", tp.planned)
	t.Run("interrupted", tp.interrupted)
	t.Run("reads of what is gone", tp.readGone)
	t.Run("settings", tp.configured)
}

// settle makes an undisturbed pass and compares all there is with what it should be.
func (tp tape) settle(t *testing.T, dir string) {
	t.Helper()
	passes := decode[query.RetentionPass](t, run(t, atRest(dir)...))
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
