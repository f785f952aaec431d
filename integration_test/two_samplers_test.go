package integration_test

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// TestTwoSamplers_OneHost has two samplers record one machine under one name while a job works in many processes: it is said while
// it goes on, each start and end counts once, and the job's CPU is what its processes used.
func TestTwoSamplers_OneHost(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, proctape, dir, "--interval", "1s")
	second := start(t, "sample", "--data", dir, "--host", "testhost", "--interval", "1s")
	gaps := fmt.Sprintf(`SELECT count(*) FROM gaps WHERE kind = '%s'`, schema.GapTwoSamplers)
	await(t, "a gap that tells of it", func() bool { return count(t, db, gaps) > 0 })
	await(t, "a status that tells of it", func() bool {
		status, _ := exitOf(t, "status", "--data", dir)
		return strings.Contains(status, "two samplers record under one name")
	})
	job := exec.Command("sh", "-c", `for i in 1 2 3 4 5 6 7 8; do sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; done`)
	job.Env = append(job.Environ(), "PROCTAPE_JOB_ID=twice")
	if out, err := job.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	used := (job.ProcessState.UserTime() + job.ProcessState.SystemTime()).Seconds()
	await(t, "the end of the job", func() bool {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE event_type = 'exit' AND pid = %d`, job.Process.Pid)) > 0
	})
	second.stop()
	recorder.stop()
	if strings.Count(recorder.stderr(), "kind=two_recorders") != 1 {
		t.Errorf("the recorder says %q, want one line of two samplers", recorder.stderr())
	}
	const again = `SELECT count(*) FROM (SELECT 1 FROM %s GROUP BY pid, start_ticks, %s HAVING count(*) > 1)`
	for table, more := range map[string]string{"process_events": "event_type", "process_execs": "command, boot_ns / 1000000000"} {
		if n := count(t, db, fmt.Sprintf(again, table, more)); n > 0 {
			t.Errorf("%s: %d are there twice", table, n)
		}
	}
	if eventsLost(t, db) > 0 || count(t, db, `SELECT count(*) FROM gaps WHERE kind = 'restart'`) != 1 {
		t.Skip("SKIPPED: the machine was too busy: events were lost, or a sampler was silent for three periods")
	}
	p := profile(t, "twice", "--data", dir)
	t.Logf("%d spawns, %d exits, %.3f s CPU; getrusage has %.3f s", p.Spawns, p.Exits, p.CPUSeconds, used)
	if p.Spawns != 9 || p.Exits != 9 || math.Abs(p.CPUSeconds-used) > 0.05*used+0.05 {
		t.Errorf("got %d spawns, %d exits and %.3f s CPU, want 9, 9 and %.3f s", p.Spawns, p.Exits, p.CPUSeconds, used)
	}
}
