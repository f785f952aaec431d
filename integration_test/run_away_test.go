package integration_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
)

var takesNothing = withFault("takes-nothing", "producer/publish/backlog.go",
	"	if b.folder == \"\" {\n", "	if b.folder == \"\" || runsAs(\"takes-nothing\") {\n")

// TestRun_EndsWithoutRecorder has a recorder killed while a run goes on that ends before the next one starts: that one records how it
// ended and what it used. The control is a recorder that does not take up what the run left.
func TestRun_EndsWithoutRecorder(t *testing.T) {
	long(t)
	t.Parallel()
	if r := endWithoutRecorder(t, proctape); r.ExitCode == nil || *r.ExitCode != 3 || r.Ended == nil ||
		r.CPUSeconds == nil || *r.CPUSeconds == 0 || *r.CPUSource != "wait4" && *r.CPUSource != "cgroup" {
		t.Errorf("got %+v, want exit 3 and CPU time by wait4 or the control group", r)
	}
	if r := endWithoutRecorder(t, takesNothing.program(t)); r.ExitCode != nil {
		t.Errorf("control: a recorder that takes up nothing knows exit %d: this test catches nothing", *r.ExitCode)
	}
}

// endWithoutRecorder returns a run that ended while nobody recorded, as it is recorded by the next recorder, which is another program.
func endWithoutRecorder(t *testing.T, next string) query.Run {
	t.Helper()
	dir := t.TempDir()
	db, goOn := filepath.Join(dir, "monitor.db"), filepath.Join(t.TempDir(), "go-on")
	recorder := record(t, proctape, dir)
	command := start(t, "run", "--data", dir, "--host", "testhost", "--job", "away", "--", "sh", "-c",
		`until [ -e "$0" ]; do sleep 0.1; done; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3`, goOn)
	await(t, "the run", func() bool { return count(t, db, `SELECT count(*) FROM runs WHERE job_id = 'away'`) == 1 })
	if err := errors.Join(recorder.cmd.Process.Kill(), os.WriteFile(goOn, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	recorder.wait()
	command.wait()
	if said := command.stderr(); !strings.Contains(said, "waits on disk") {
		t.Errorf("the run says %q, want that its end waits on disk", said)
	}
	recorder = record(t, next, dir)
	await(t, "the end of the run", func() bool {
		return count(t, db, `SELECT count(*) FROM runs WHERE job_id = 'away' AND ended IS NOT NULL`) == 1
	})
	recorder.stop()
	return decode[query.Run](t, run(t, "report", "away", "--run", "1", "--data", dir, "--json"))[0]
}

var leavesNothing = withFault("leaves-nothing", "cmd/proctape/connect_for_run.go",
	"	return silent && ", "	return !runsAs(\"leaves-nothing\") && silent && ")

// told is a job as it is recorded: its only run, and how many messages of job events the log has that declare or end it.
type told struct {
	run          query.Run
	runs, events int
}

// TestRun_RecorderStandsStill runs a command, and tells of a job, while the recorder stands still, and another command while none runs: the recorder has each once when
// it goes on. The control is a program that leaves nothing where the recorder does not answer.
func TestRun_RecorderStandsStill(t *testing.T) {
	long(t)
	t.Parallel()
	for job, got := range tellOfStillRecorder(t, proctape) {
		if got.runs != 1 || got.events != 2 || got.run.ExitCode == nil || *got.run.ExitCode != 3 {
			t.Errorf("job %s: %d runs, %d job events, %+v; want one run with exit 3, and two events", job, got.runs, got.events, got.run)
		}
		if job != "told" && (got.run.CPUSeconds == nil || *got.run.CPUSeconds < 0.01 || *got.run.CPUSource != "wait4" && *got.run.CPUSource != "cgroup") {
			t.Errorf("job %s: CPU time %v by %v, want what run told", job, deref(got.run.CPUSeconds), deref(got.run.CPUSource))
		}
	}
	for job, got := range tellOfStillRecorder(t, leavesNothing.program(t)) {
		if got.runs != 0 {
			t.Errorf("control: job %s has %d runs: this test catches nothing", job, got.runs)
		}
	}
}

// tellOfStillRecorder has a program tell of three jobs while the recorder does not answer, and returns how they are recorded.
func tellOfStillRecorder(t *testing.T, program string) map[string]told {
	t.Helper()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, proctape, dir)
	await(t, "a life that has written down a snapshot", func() bool { return reachedBy(t, dir, "testhost") > 0 })
	here := []string{"--data", dir, "--host", "testhost"}
	tell := func(args ...string) {
		_ = exec.Command(program, append(args, here...)...).Run() // the control fails
	}
	burn := func(job string) {
		args := append(append([]string{"run", "--job", job}, here...), "--", "sh", "-c", `i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3`)
		if err := exec.Command(program, args...).Run(); err == nil || err.Error() != "exit status 3" {
			t.Errorf("run of %s: %v, want exit 3", job, err)
		}
	}
	recorder.cmd.Process.Signal(unix.SIGSTOP)
	burn("still")
	tell("job", "declare", "told")
	tell("job", "end", "told", "--exit-code", "3")
	recorder.cmd.Process.Signal(unix.SIGCONT)
	tell("job", "declare", "behind")
	await(t, "what was told last", func() bool { return count(t, db, `SELECT count(*) FROM runs WHERE job_id = 'behind'`) == 1 })
	recorder.cmd.Process.Kill()
	recorder.wait()
	burn("none")
	recorder = record(t, proctape, dir)
	if program == proctape {
		await(t, "the ends", func() bool { return count(t, db, `SELECT count(*) FROM run_records WHERE ended IS NOT NULL`) >= 3 })
	}
	tell("job", "declare", "last")
	await(t, "what was told last", func() bool { return count(t, db, `SELECT count(*) FROM runs WHERE job_id = 'last'`) == 1 })
	recorder.stop()
	recorded := map[string]told{}
	for _, job := range []string{"still", "told", "none"} {
		got := told{runs: count(t, db, fmt.Sprintf(`SELECT count(*) FROM runs WHERE job_id = '%s'`, job)),
			events: count(t, db, fmt.Sprintf(`SELECT count(*) FROM job_events WHERE job_id = '%s'`, job))}
		if got.runs > 0 {
			got.run = decode[query.Run](t, run(t, "report", job, "--run", "1", "--data", dir, "--json"))[0]
		}
		recorded[job] = got
	}
	return recorded
}
