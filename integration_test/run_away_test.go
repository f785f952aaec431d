package integration_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
