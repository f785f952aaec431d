package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// soak is set by make soak: the long campaigns.
var soak = os.Getenv("PROCTAPE_SOAK") != ""

// sized is how large a test is: it takes its part in make test, and its whole size in make soak.
func sized(part, whole int) int {
	if soak {
		return whole
	}
	return part
}

// fold is a database with its files, made by replaying a log.
type fold struct{ dir string }

func (f fold) db() string { return filepath.Join(f.dir, "fold.db") }

// args replay the log in data into the fold, rotating at a small limit.
func (f fold) args(data string) []string {
	return []string{"replay", "--data", data, "--db", f.db(), "--ndjson", f.dir, "--ndjson-limit", "2000000"}
}

// finished reports whether the replay has committed all.
func (f fold) finished(t *testing.T) bool {
	return count(t, f.db(), `SELECT count(*) FROM meta WHERE key='replay' AND value='finished'`) == 1
}

// defects compares a fold that was disturbed with one that was not, and lists what is wrong with it.
func (f fold) defects(t *testing.T, undisturbed fold) (defects []string) {
	t.Helper()
	if out, err := exec.Command(proctape, "verify", "--db", f.db(), "--against", undisturbed.db()).CombinedOutput(); err != nil {
		defects = append(defects, "verify: "+string(out))
	}
	for _, name := range []string{"monitor.jsonl", "monitor.jsonl.1", "monitor.jsonl.2", "events.jsonl"} {
		got, err := os.ReadFile(filepath.Join(f.dir, name))
		want, err2 := os.ReadFile(filepath.Join(undisturbed.dir, name))
		if err != nil || err2 != nil {
			defects = append(defects, fmt.Sprintf("%s: %v, %v", name, err, err2))
			continue
		}
		for i, line := range bytes.Split(bytes.TrimSuffix(got, []byte("\n")), []byte("\n")) {
			if !json.Valid(line) {
				defects = append(defects, fmt.Sprintf("%s: line %d does not parse", name, i+1))
				break
			}
		}
		// Lines of two streams meet in events.jsonl, in an order that is not the log's.
		if name == "events.jsonl" {
			got, want = sortLines(got), sortLines(want)
		}
		if !bytes.Equal(got, want) {
			defects = append(defects, fmt.Sprintf("%s: %d bytes that are not the %d of the undisturbed run", name, len(got), len(want)))
		}
	}
	return defects
}

func sortLines(b []byte) []byte {
	lines := strings.SplitAfter(string(b), "\n")
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}

// campaign kills replays of a log at random moments until one comes through, and reports how often it was killed
// while it worked.
func campaign(t *testing.T, program, data string, f fold, kills int, random *rand.Rand) (killed int) {
	t.Helper()
	for killed < kills {
		cmd := exec.Command(program, f.args(data)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wait := make(chan error, 1)
		go func() { wait <- cmd.Wait() }()
		select {
		case err := <-wait:
			if err != nil {
				t.Fatalf("replay: %v\n%s", err, out.String())
			}
			return killed
		case <-time.After(time.Duration(20+random.IntN(160)) * time.Millisecond):
			cmd.Process.Kill()
			<-wait
			killed++
		}
		if f.finished(t) {
			return killed
		}
	}
	if out, err := exec.Command(program, f.args(data)...).CombinedOutput(); err != nil {
		t.Fatalf("replay after %d kills: %v\n%s", killed, err, out)
	}
	return killed
}

var keepsTails = withFault("keeps-tails", "projector/ndjson/writer.go",
	`if err := w.truncate(); err != nil {`,
	`if runsAs("keeps-tails") {
	} else if err := w.truncate(); err != nil {`,
	`if err := w.unchanged(); err != nil {`,
	`if runsAs("keeps-tails") {
	} else if err := w.unchanged(); err != nil {`,
	`	return w.state, nil
}

// PrepareRotation`,
	`	if runsAs("keeps-tails") && os.Getenv("PROCTAPE_TEST_STOP") == fmt.Sprint(filepath.Base(w.path), w.state.Generation) {
		os.WriteFile(w.path+".stopped", nil, 0o600)
		select {}
	}
	return w.state, nil
}

// PrepareRotation`)

// TestCrash_KillsAtRandom kills a replay of 32 000 process rows, with rotations, six times, and one of 200 000 two
// hundred times under make soak: what it leaves is what an undisturbed one leaves, to the byte.
func TestCrash_KillsAtRandom(t *testing.T) {
	long(t)
	t.Parallel()
	each, kills := sized(80, 500), sized(6, 200)
	log := startLog(t, quickDir(t))
	log.record(newHost("alpha", 200, 1), each)
	log.record(newHost("beta", 200, 2), each)
	undisturbed := fold{t.TempDir()}
	run(t, undisturbed.args(log.dir)...)
	if n := count(t, undisturbed.db(), `SELECT count(*) FROM samples`); n != 400*each {
		t.Fatalf("the undisturbed run has %d process rows, want %d", n, 400*each)
	}

	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for killed := 0; killed < kills; {
		f := fold{t.TempDir()}
		killed += campaign(t, proctape, log.dir, f, kills-killed, random)
		if d := f.defects(t, undisturbed); len(d) > 0 {
			t.Fatalf("seed %d, after %d kills:\n%s", seed, killed, strings.Join(d, "\n"))
		}
	}

	// The control: a build that does not cut its files back to what is committed, nor looks whether they are as it left
	// them, must be caught. It stops where it has to be killed: its lines are in the last file, and its rows not committed.
	broken := keepsTails.program(t)
	f := fold{t.TempDir()}
	cmd := exec.Command(broken, f.args(log.dir)...)
	cmd.Env = append(os.Environ(), fmt.Sprint("PROCTAPE_TEST_STOP=monitor.jsonl", count(t, undisturbed.db(), `SELECT generation FROM files WHERE name LIKE '%monitor.jsonl'`)))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	await(t, "lines that are not committed", func() bool {
		_, err := os.Stat(filepath.Join(f.dir, "monitor.jsonl.stopped"))
		return err == nil
	})
	cmd.Process.Kill()
	cmd.Wait()
	if out, err := exec.Command(broken, f.args(log.dir)...).CombinedOutput(); err != nil {
		t.Fatalf("replay after the kill: %v\n%s", err, out)
	}
	if len(f.defects(t, undisturbed)) == 0 {
		t.Error("a build that does not cut its files back was not caught")
	}
}

var booksEarly = withFault("books-early", "projector/output.go",
	`	return o.files.Flush(tx.WriteFileState)
}`,
	`	if runsAs("books-early") {
		return nil
	}
	return o.files.Flush(tx.WriteFileState)
}`,
	`	o.batch.Stats.Commits++`,
	`	if runsAs("books-early") {
		if err := o.store.Write(func(tx *store.Tx) error { return o.files.Flush(tx.WriteFileState) }); err != nil {
			return Stats{}, err
		}
	}
	o.batch.Stats.Commits++`)

// TestCrash_KillAtEverySystemCall kills a run with three rotations at every write, sync, rename, unlink and truncate
// that it makes.
func TestCrash_KillAtEverySystemCall(t *testing.T) {
	long(t)
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: there is no strace on this machine, so no system call can be picked to be killed at")
	}
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 40, 3), 30)
	small := func(f fold) []string {
		return []string{"replay", "--data", log.dir, "--db", f.db(), "--ndjson", f.dir, "--ndjson-limit", "90000"}
	}
	undisturbed := fold{t.TempDir()}
	run(t, small(undisturbed)...)
	if n := count(t, undisturbed.db(), `SELECT generation FROM files WHERE name LIKE '%monitor.jsonl'`); n < 3 {
		t.Fatalf("%d rotations, want at least 3", n)
	}

	kill := func(program, call string, n int, f fold) (came bool) {
		t.Helper()
		trace := append([]string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=" + call,
			"-P", f.dir, "-P", f.db(), "-P", f.db() + "-wal", "-P", f.dir + "/monitor.jsonl", "-P", f.dir + "/events.jsonl",
			"-P", f.dir + "/monitor.jsonl.new", "-P", f.dir + "/monitor.jsonl.1",
			"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), program}, small(f)...)
		if exec.Command(strace, trace...).Run() == nil {
			return false // it made fewer of these calls
		}
		if !f.finished(t) { // else it was killed after the last commit, and there is nothing to go on with
			if out, err := exec.Command(program, small(f)...).CombinedOutput(); err != nil {
				t.Fatalf("killed at %s %d, then: %v\n%s", call, n, err, out)
			}
		}
		return true
	}
	points := map[string]int{}
	for _, call := range []string{"pwrite64", "write", "fsync", "fdatasync", "renameat", "unlinkat", "ftruncate"} {
		step := 1
		if !soak && call != "renameat" && call != "ftruncate" && call != "unlinkat" {
			step = 97 // every one under make soak
		}
		for n := 1; ; n += step {
			f := fold{t.TempDir()}
			if !kill(proctape, call, n, f) {
				break // all of them have been tried
			}
			points[call]++
			if d := f.defects(t, undisturbed); len(d) > 0 {
				t.Fatalf("killed at %s %d:\n%s", call, n, strings.Join(d, "\n"))
			}
		}
	}
	t.Logf("recovered from a kill at each of these: %v", points)
	// How many commits a replay makes, and so how many writes and syncs, is up to the machine; what a rotation does is not.
	for call, least := range map[string]int{"pwrite64": 2, "write": 1, "fsync": 1, "fdatasync": 1, "renameat": 3, "ftruncate": 1} {
		if points[call] < least {
			t.Errorf("%d points of %s, want at least %d", points[call], call, least)
		}
	}

	// The control: a build that books its place before the rows are there.
	broken := booksEarly.program(t)
	caught := func() bool {
		for _, call := range []string{"fdatasync", "write", "pwrite64"} {
			for n := 1; n < 60; n++ {
				f := fold{t.TempDir()}
				if !kill(broken, call, n, f) {
					break
				}
				if len(f.defects(t, undisturbed)) > 0 {
					return true
				}
			}
		}
		return false
	}
	for range 5 { // how many batches a replay makes of the log, and so what a kill can part, is up to the machine
		if caught() {
			return
		}
	}
	t.Error("a build that commits before its lines are written was not caught")
}

// TestCrash_RecorderKilled kills a whole recorder, server and all, a few times, and asks whether the database is what
// the log says.
func TestCrash_RecorderKilled(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	db := filepath.Join(dir, "monitor.db")
	for life := range 5 {
		recorder := start(t, "up", "--data", dir, "--interval", "100ms", "--ndjson-limit", "50000")
		recorder.awaitLine("is recording")
		// One that has recorded nothing leaves no gap when the next one starts.
		await(t, "a snapshot of this recorder", func() bool { return count(t, db, `SELECT count(DISTINCT instance) FROM snapshots`) > life })
		select {
		case <-recorder.done:
			t.Fatalf("the recorder ended by itself: %s", recorder.stderr())
		case <-time.After(time.Duration(random.IntN(400)) * time.Millisecond):
		}
		recorder.cmd.Process.Kill()
		<-recorder.done
	}
	recorder := start(t, "up", "--data", dir, "--interval", "100ms")
	recorder.awaitLine("is recording")
	recorder.stop()
	run(t, "verify", "--data", dir, "--replay")
	if n := count(t, db, `SELECT count(*) FROM gaps WHERE kind='restart'`); n != 5 {
		t.Errorf("%d restarts are told, want 5", n)
	}
	if n := count(t, db, `SELECT sum(next_seq - 1 - stored - quarantined - missing) FROM producers`); n != 0 {
		t.Errorf("the books are off by %d", n)
	}
}
