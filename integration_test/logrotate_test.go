package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The controls: a program that goes on rotating its files itself, and one that does not remember what a kill left in them.
var (
	writesAgain = withFault("writes-again", "cmd/proctape/fileflags.go",
		`f.rotate == rotateNever
}`, `f.rotate == rotateNever && !runsAs("writes-again")
}`)
	forgetsLeft = withFault("forgets-left", "projector/ndjson/beside.go",
		`	if line[len(line)-1] == '\n' {
		w.left`, `	if line[len(line)-1] == '\n' && !runsAs("forgets-left") {
		w.left`)
)

// rotator takes the files of a folder away as logrotate does: by logrotate itself where it is installed, else by the same system calls.
type rotator struct {
	t        *testing.T
	dir      string
	truncate bool // copytruncate, else create
	conf     string
	n        int
}

func newRotator(t *testing.T, dir string, truncate bool) *rotator {
	r := &rotator{t: t, dir: dir, truncate: truncate, conf: filepath.Join(t.TempDir(), "logrotate.conf")}
	how := "create 0600"
	if truncate {
		how = "copytruncate"
	}
	conf := fmt.Sprintf("%s/*.jsonl {\n\trotate 1000\n\tmissingok\n\tnocompress\n\t%s\n}\n", dir, how)
	if err := os.WriteFile(r.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rotator) rotate() {
	r.t.Helper()
	if path, err := exec.LookPath("logrotate"); err == nil {
		if out, err := exec.Command(path, "-f", "-s", r.conf+".state", r.conf).CombinedOutput(); err != nil {
			r.t.Fatalf("logrotate: %v\n%s", err, out)
		}
		return
	}
	r.n++
	for _, name := range []string{"monitor.jsonl", "events.jsonl"} {
		path := filepath.Join(r.dir, name)
		old := fmt.Sprintf("%s.%d", path, r.n)
		err := copyOrMove(path, old, r.truncate)
		if err != nil && !os.IsNotExist(err) {
			r.t.Fatal(err)
		}
	}
}

func copyOrMove(path, old string, truncate bool) error {
	if !truncate {
		if err := os.Rename(path, old); err != nil {
			return err
		}
		return os.WriteFile(path, nil, 0o600)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(old, b, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, 0)
}

// linesOf are the lines of a file and of all that were taken away from its name, sorted.
func linesOf(t *testing.T, dir, name string) (lines []string) {
	t.Helper()
	for _, path := range must(filepath.Glob(filepath.Join(dir, name+"*")))(t) {
		for line := range bytes.Lines(must(os.ReadFile(path))(t)) {
			if line[len(line)-1] == '\n' {
				lines = append(lines, string(line))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// doubled compares the lines of a folder with those of an undisturbed one.
func doubled(t *testing.T, dir, undisturbed string) (defects []string) {
	t.Helper()
	for _, name := range []string{"monitor.jsonl", "events.jsonl"} {
		got, want := linesOf(t, dir, name), linesOf(t, undisturbed, name)
		if !slices.Equal(got, want) {
			unique := len(slices.Compact(slices.Clone(got)))
			defects = append(defects, fmt.Sprintf("%s: %d lines, %d of them different; want %d", name, len(got), unique, len(want)))
		}
	}
	return defects
}

// undisturbedLines are the files of a log that nobody disturbed.
func undisturbedLines(t *testing.T, log *logServer) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "replay", "--data", log.dir, "--db", filepath.Join(dir, "r.db"), "--ndjson-dir", dir, "--ndjson-rotate", "never")
	return dir
}

// TestLogrotate_Live has logrotate rotate the files under a projection, in both of its ways: no line is doubled, none is lost, and
// SIGHUP has the program go to the new file.
func TestLogrotate_Live(t *testing.T) {
	long(t)
	t.Parallel()
	for _, truncate := range []bool{false, true} {
		t.Run(map[bool]string{false: "create", true: "copytruncate"}[truncate], func(t *testing.T) {
			t.Parallel()
			if defects := rotateLive(t, proctape, truncate); len(defects) > 0 {
				t.Error(strings.Join(defects, "\n"))
			}
			if truncate {
				return
			}
			if defects := rotateLive(t, writesAgain.program(t), truncate); len(defects) == 0 {
				t.Error("the control, which rotates the files itself, was not caught")
			}
		})
	}
}

func rotateLive(t *testing.T, program string, truncate bool) []string {
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 30, 1)
	dir := t.TempDir()
	db := filepath.Join(dir, "p.db")
	p := startProgram(t, "env", "--default-signal=HUP", program, "project", "--data", log.dir, "--db", db, "--ndjson", dir, "--ndjson-rotate", "never")
	p.awaitLine("is projecting")
	r := newRotator(t, dir, truncate)
	for round := range 8 {
		log.record(h, 5)
		if truncate || round%2 == 0 { // what is written while logrotate copies is lost, by its own words
			log.awaitFolded(db)
		}
		r.rotate()
		if round == 6 && program == proctape && !truncate {
			log.awaitFolded(db)
			if err := p.cmd.Process.Signal(unix.SIGHUP); err != nil {
				t.Fatal(err)
			}
			p.awaitStderr("taken over: the files that were rotated")
			await(t, "the new files", func() bool { return len(openRotated(t, p.cmd.Process.Pid, dir)) == 0 })
		}
	}
	await(t, "all snapshots", func() bool { return snapshotsOf(t, db, "alpha") == 40 })
	p.stop()
	return doubled(t, dir, undisturbedLines(t, log))
}

// openRotated are the files that a process has open of those that were taken away.
func openRotated(t *testing.T, pid int, dir string) (open []string) {
	t.Helper()
	for _, fd := range must(filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)))(t) {
		target, _ := os.Readlink(fd) // it may be closed meanwhile
		if rest, ok := strings.CutPrefix(target, dir+"/"); ok && strings.Contains(rest, ".jsonl.") {
			open = append(open, target)
		}
	}
	return open
}

// TestLogrotate_Killed kills a projection after it wrote lines and before it committed them, again and again, and has logrotate rotate
// the files meanwhile: no line is doubled, and none is lost.
func TestLogrotate_Killed(t *testing.T) {
	long(t)
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: there is no strace on this machine, so a program cannot be killed between two system calls")
	}
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 40, 3), 60)
	undisturbed := undisturbedLines(t, log)
	for _, truncate := range []bool{false, true} {
		if defects := rotateKilled(t, strace, proctape, log, undisturbed, truncate); len(defects) > 0 {
			t.Errorf("copytruncate %v: %s", truncate, strings.Join(defects, "\n"))
		}
	}
	if defects := rotateKilled(t, strace, forgetsLeft.program(t), log, undisturbed, false); len(defects) == 0 {
		t.Error("the control, which forgets what a kill left, was not caught")
	}
}

func rotateKilled(t *testing.T, strace, program string, log *logServer, undisturbed string, truncate bool) []string {
	f := fold{t.TempDir()}
	r := newRotator(t, f.dir, truncate)
	args := []string{"replay", "--data", log.dir, "--db", f.db(), "--ndjson", f.dir, "--ndjson-rotate", "never"}
	kills := 0
	for try := range 10 {
		for _, name := range []string{"monitor.jsonl", "events.jsonl"} {
			path := filepath.Join(f.dir, name)
			cmd := exec.Command(strace, append([]string{"-f", "-qq", "-o", os.DevNull, "-P", path, "-e", "trace=fdatasync",
				"-e", fmt.Sprintf("inject=fdatasync:signal=KILL:when=%d", 1+try%2), program}, args...)...)
			if err := cmd.Run(); err != nil {
				kills++
			}
			if kills%3 != 0 {
				r.rotate()
			}
		}
	}
	if kills < 4 {
		t.Errorf("it was killed %d times: this test tries little", kills)
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil && !strings.Contains(string(out), "finished") {
		t.Logf("the last replay: %v\n%s", err, out)
	}
	if !f.finished(t) {
		t.Error("the replay is not finished")
	}
	return doubled(t, f.dir, undisturbed)
}
