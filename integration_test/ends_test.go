package integration_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

var tellsNoEnd = withFault("tells-no-end", "producer/publish/publisher.go",
	`	m.Ended = p.ended.in(schema.StreamFor(m.Kind))`,
	`	if !runsAs("tells-no-end") {
		m.Ended = p.ended.in(schema.StreamFor(m.Kind))
	}`)

// TestEnds_LogLosesItsEnd ends a recorder, in order or by a kill, and damages the end of its log. The next life tells what the
// one before had made: a new replay has or counts every snapshot. Sixty times each under make soak.
func TestEnds_LogLosesItsEnd(t *testing.T) {
	long(t)
	t.Parallel()
	for _, cut := range []bool{false, true} {
		dir := t.TempDir()
		made := recordAndEnd(t, dir, cut)
		trials := 2
		if soak {
			trials = 60
		}
		for trial := range trials {
			data := copyLog(t, dir)
			damageEnd(t, data, uint64(trial))
			books := recordOn(t, proctape, data)
			taken := trial%2 == 0 // a bit may also be put right, or cost a message before the last
			known := books.stored + books.missing
			if known != made && (!cut || taken && known != books.stored || known < made) || taken && (books.gaps == 0) != (books.missing == 0) || taken && !cut && books.missing == 0 {
				t.Errorf("cut off %v, trial %d: of %d snapshots that were made %d are stored and %d missing, in %d gaps",
					cut, trial, made, books.stored, books.missing, books.gaps)
			}
			if taken && !cut && books.verdict != 3 {
				t.Errorf("trial %d: verify ends with %d, want 3, a loss", trial, books.verdict)
			}
			if cut != (books.unknown > 0) {
				t.Errorf("cut off %v, trial %d: %d gaps say that the end is not known", cut, trial, books.unknown)
			}
		}
		if cut {
			continue
		}
		// The control: a build whose lives do not tell of those before.
		data := copyLog(t, dir)
		damageEnd(t, data, 0)
		broken := tellsNoEnd.program(t)
		if books := recordOn(t, broken, data); books.stored+books.missing == made || books.verdict == 3 {
			t.Errorf("a build that tells nothing knows it too: %+v. This test catches nothing", books)
		}
	}
}

// recordAndEnd records some snapshots into dir and ends the recorder. It returns how many were made, as their life wrote down.
func recordAndEnd(t *testing.T, dir string, cut bool) (made int) {
	t.Helper()
	p := start(t, "up", "--data", dir, "--interval", "100ms", "--host", "alpha")
	await(t, "snapshots, and a life that has written down as many", func() bool { return reachedIn(t, dir) >= 40 })
	if !cut {
		p.stop()
		return reachedIn(t, dir)
	}
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait()
	return reachedIn(t, dir) // what it made in its last two seconds nobody counts
}

// reachedIn is the number of the last snapshot that the life in a data folder wrote down.
func reachedIn(t *testing.T, dir string) (last int) {
	t.Helper()
	return reachedBy(t, dir, "alpha")
}

func reachedBy(t *testing.T, dir, host string) (last int) {
	t.Helper()
	files := must(filepath.Glob(filepath.Join(dir, "lives", host+".*.life")))(t)
	if len(files) == 0 {
		return 0
	}
	var life struct {
		End schema.End `json:"end"`
	}
	line, _, _ := strings.Cut(string(must(os.ReadFile(files[0]))(t)), "\n")
	if err := json.Unmarshal([]byte(line), &life); err != nil {
		t.Fatal(err)
	}
	for _, r := range life.End.Reached {
		if r.Kind == schema.KindSnapshot {
			return int(r.Seq)
		}
	}
	return 0
}

// damageEnd takes away the end of the file of snapshots, at a random place in its last third, or, of every other log, flips a bit
// there.
func damageEnd(t *testing.T, dir string, seed uint64) {
	t.Helper()
	files := streamFiles(t, dir, schema.StreamSnapshots)
	last := files[len(files)-1]
	size := must(os.Stat(last))(t).Size()
	roll := rand.New(rand.NewPCG(seed, 20))
	if seed%2 == 0 {
		if err := os.Truncate(last, size-size/6-roll.Int64N(size/6)); err != nil {
			t.Fatal(err)
		}
		return
	}
	b := must(os.ReadFile(last))(t)
	b[size-1-roll.Int64N(size/3)] ^= 1 << roll.IntN(8)
	if err := os.WriteFile(last, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// books are what a new replay of a log has of the first life in it.
type books struct {
	stored, missing, gaps, unknown int
	verdict                        int // of verify, as an exit code
}

// recordOn records a little more on a data folder, and replays its log.
func recordOn(t *testing.T, program, data string) books {
	t.Helper()
	db := filepath.Join(t.TempDir(), "more.db")
	p := startProgram(t, program, "up", "--data", data, "--db", db, "--no-ndjson", "--interval", "100ms", "--host", "alpha")
	await(t, "snapshots of the next life", func() bool {
		return count(t, db, `SELECT count(DISTINCT instance) FROM snapshots WHERE seq > 2`) == 2
	})
	p.stop()
	replayed := filepath.Join(t.TempDir(), "r.db")
	if out, err := exec.Command(program, "replay", "--data", data, "--db", replayed).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	verify := exec.Command(program, "verify", "--replay", "--data", data, "--db", replayed)
	_ = verify.Run() // it fails where there is a loss
	const first = ` FROM producers WHERE kind = 'snapshot' AND first_ns = (SELECT min(first_ns) FROM producers WHERE kind = 'snapshot')`
	return books{count(t, replayed, `SELECT stored`+first), count(t, replayed, `SELECT missing`+first),
		gapsOf(t, replayed, schema.GapEndLost), gapsOf(t, replayed, schema.GapEndUnknown), verify.ProcessState.ExitCode()}
}

// TestEnds_SamplerWithoutALog takes the log away from a sampler, and ends the sampler while it still has samples: in order, and
// by a kill. When both run again what it left is stored, but for what it made in the last three seconds before a kill, which is missing.
func TestEnds_SamplerWithoutALog(t *testing.T) {
	t.Parallel()
	long(t)
	for _, cut := range []bool{false, true} {
		dir := t.TempDir()
		db := filepath.Join(dir, "monitor.db")
		record := func() *process {
			p := start(t, "up", "--data", dir, "--host", "alpha")
			p.awaitLine("is recording")
			return p
		}
		sample := func() *process {
			return start(t, "sample", "--data", dir, "--host", "beta", "--interval", "100ms", "--events", "proc-diff")
		}
		recorder := record()
		sampler := sample()
		await(t, "snapshots of the sampler", func() bool { return snapshotsOf(t, db, "beta") >= 10 })
		recorder.stop()
		had := snapshotsOf(t, db, "beta")
		await(t, "snapshots that wait for the log", func() bool { return reachedBy(t, dir, "beta") >= had+60 })
		signal := unix.SIGINT
		if cut {
			signal = unix.SIGKILL
		}
		if err := sampler.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		sampler.wait()
		made := reachedBy(t, dir, "beta")

		recorder, sampler = record(), sample()
		const of = ` FROM producers p JOIN hosts h ON h.id = p.host_id WHERE h.name = 'beta' AND kind = 'snapshot'`
		await(t, "a next life that tells of the one before", func() bool { return count(t, db, `SELECT count(*)`+of+` AND ended_ns > 0`) == 1 })
		stored, missing := count(t, db, `SELECT sum(stored)`+of+` AND ended_ns > 0`), count(t, db, `SELECT sum(missing)`+of+` AND ended_ns > 0`)
		if stored+missing < made || !cut && stored+missing != made || cut && missing > 35 || !cut && missing > 0 || stored < had+20 {
			t.Errorf("cut off %v: of %d snapshots that were made %d are stored and %d missing", cut, made, stored, missing)
		}
		dropped, lost := gapsOf(t, db, schema.GapDropped), gapsOf(t, db, schema.GapEndLost)
		if !cut && lost > 0 || dropped > 0 {
			t.Errorf("cut off %v: %d gaps of what was dropped, %d of what was lost", cut, dropped, lost)
		}
		sampler.stop()
		recorder.stop()
	}
}
