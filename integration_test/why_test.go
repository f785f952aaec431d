package integration_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/why"
)

// TestWhy tells of a job in which a process dies by a signal, and the shell that bore it fails of that.
func TestWhy(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	dir := t.TempDir()
	recorder := record(t, proctape, dir)
	defer recorder.stop()
	cmd := exec.Command(proctape, "run", "--data", dir, "--host", "testhost", "--job", "why-1", "--", "sh", "-c", `sh -c 'kill -SEGV $$'; sh -c 'exit 3'; exit 4`)
	if cmd.Run(); cmd.ProcessState.ExitCode() != 4 {
		t.Fatalf("the job ended with %d", cmd.ProcessState.ExitCode())
	}
	await(t, "three failures", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM process_events
			WHERE job_id = 'why-1' AND event_type = 'exit' AND (exit_code <> 0 OR signal_num IS NOT NULL)`) == 3
	})
	job := decode[why.JobStory](t, run(t, "why", "why-1", "--data", dir, "--json"))[0]
	first := job.First
	if first == nil || first.Cause != why.Signalled || !strings.Contains(first.Verdict, "SIGSEGV") || first.Process.JobID == nil || *first.Process.JobID != "why-1" {
		t.Fatalf("got %+v, want the death by SIGSEGV", first)
	}
	kinds := make([]string, 0, len(first.Moments))
	for _, m := range first.Moments {
		kinds = append(kinds, m.Kind)
	}
	if kinds[0] != "born" || !slices.Contains(kinds, "death") || first.Moments[len(kinds)-1].Kind != "after" || !strings.Contains(first.Moments[len(kinds)-1].Text, "exits with 4") {
		t.Errorf("got moments %+v, want its birth, its death and then the end of the shell", first.Moments)
	}
	if !slices.Contains(first.Unknown, "who sent the signal") {
		t.Errorf("got %q as what is not known", first.Unknown)
	}

	failed := slices.IndexFunc(job.Failures, func(e query.Event) bool { return e.ExitCode != nil && *e.ExitCode == 3 })
	if failed < 0 {
		t.Fatalf("got failures %+v, want one of code 3", job.Failures)
	}
	text := run(t, "why", strconv.FormatInt(job.Failures[failed].PID, 10), "--data", dir)
	if !strings.Contains(text, "ended with exit code 3.") || !strings.Contains(text, "for job why-1") {
		t.Errorf("of the process alone it says\n%s", text)
	}
}
