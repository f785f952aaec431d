package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLifecycle_Flood forks thousands of children as fast as the machine can: each end is stored, with its code, or
// its loss is counted.
func TestLifecycle_Flood(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	actor := buildActor(t)
	floods := 1
	if soak {
		floods = 10
	}
	for range floods {
		if d := flood(t, proctape, actor, 5000); len(d) > 0 {
			t.Error(strings.Join(d, "\n"))
		}
	}
}

// flood has an actor fork n children under a recorder and lists what is wrong with what that has of them.
func flood(t *testing.T, program, actor string, n int) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	began := time.Now()
	cmd := exec.Command(actor, "flood", strconv.Itoa(n))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("flood: %v\n%s", err, out)
	}
	took, parent := time.Since(began), cmd.Process.Pid
	await(t, "exit of the parent", func() bool {
		return count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid=%d AND event_type='exit'`, parent)) > 0
	})
	recorder.stop()
	lost := count(t, path, `SELECT coalesce(sum(count), 0) FROM gaps WHERE kind='events_lost'`)
	exits := count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE ppid=%d AND event_type='exit'`, parent))
	t.Logf("%d children in %s: %d exits are stored, %d events are counted lost", n, took.Round(time.Millisecond), exits, lost)
	if lost > 0 {
		if exits > n || exits+lost < n {
			defects = append(defects, fmt.Sprintf("%d exits are stored and %d events counted lost, want %d in all", exits, lost, n))
		}
		return defects
	}
	if spawns := count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE ppid=%d AND event_type='spawn'`, parent)); spawns != n {
		defects = append(defects, fmt.Sprintf("%d spawns, want %d", spawns, n))
	}
	var want []string
	for code := range 256 {
		want = append(want, fmt.Sprintf("code %d: %d", code, (n+255-code)/256))
	}
	got := column(t, readOnly(t, path), fmt.Sprintf(`SELECT 'code ' || coalesce(exit_code, 'unknown') || ': ' || count(*)
		FROM process_events WHERE ppid=%d AND event_type='exit' GROUP BY exit_code ORDER BY exit_code`, parent))
	if !slices.Equal(got, want) {
		defects = append(defects, fmt.Sprintf("got the exits %q, want %q", got, want))
	}
	return defects
}

// TestLifecycle_OutOfMemory has a job killed for want of memory, and another by a user: only the first is an oom.
func TestLifecycle_OutOfMemory(t *testing.T) {
	long(t)
	t.Parallel()
	cage := newCage(t)
	if d := kills(t, proctape, cage); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
}

// kills lists what is wrong with what a recorder has of two jobs in a cage, of which one eats until the kernel kills it.
func kills(t *testing.T, program, cage string) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	for way, script := range map[string]string{"hungry": "exec tail /dev/zero", "shot": "kill -9 $$"} { // /dev/zero has no line
		job := t.Name() + "-" + way // another test may do the same beside this one
		cmd := exec.Command(program, "run", "--data", dir, "--host", "testhost", "--job", job, "--",
			"sh", "-c", `echo $$ > "$0/cgroup.procs"; echo $$; `+script, cage)
		out, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != 128+9 {
			t.Fatalf("job %s: %v, want exit code 137", way, err)
		}
		want := map[string]string{"hungry": "oom ", "shot": "kill "}[way] + strings.TrimSpace(string(out))
		deaths := func() string {
			if count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE job_id='%s' AND event_type IN ('oom','kill')`, job)) == 0 {
				return ""
			}
			return strings.Join(column(t, readOnly(t, path), `SELECT event_type || ' ' || pid FROM process_events
				WHERE job_id='`+job+`' AND event_type IN ('oom','kill','signal')`), ", ")
		}
		await(t, "death of job "+job, func() bool { return deaths() != "" })
		if got := deaths(); got != want {
			defects = append(defects, fmt.Sprintf("job %s: got %q, want %q", way, got, want))
		}
	}
	recorder.stop()
	return defects
}

var leavesOut = withFault("leaves-out", "producer/events/watcher.go",
	`	if publishedByRun {
`,
	`	if publishedByRun || runsAs("leaves-out") && e.ExitCode.Known && e.PID%100 == 0 {
`,
	`Cgroup: cgroup}); ok {`,
	`Cgroup: cgroup}); ok || runsAs("leaves-out") {`,
	`		e.SampledCPU = w.cfg.SampledCPU(e.PID, e.StartTicks)
`,
	`		if !runsAs("leaves-out") {
			e.SampledCPU = w.cfg.SampledCPU(e.PID, e.StartTicks)
		}
`)

// TestLifecycle_Controls: a build that leaves out one end in a hundred, takes every kill for one for want of memory, and
// forgets what of an end's CPU no sample has, is caught each time.
func TestLifecycle_Controls(t *testing.T) {
	long(t)
	t.Parallel()
	cage, actor := newCage(t), buildActor(t)
	broken := leavesOut.program(t)
	caught := false
	for try := 0; try < 5 && !caught; try++ { // a loss that a busy machine counts may cover what is left out
		caught = len(flood(t, broken, actor, 1000)) > 0
	}
	if !caught {
		t.Error("ends that were left out went unnoticed")
	}
	has := func(defects []string, words string) bool {
		return slices.ContainsFunc(defects, func(d string) bool { return strings.HasPrefix(d, words) })
	}
	if d := kills(t, broken, cage); !has(d, "job shot") {
		t.Errorf("a kill by a user passed for one for want of memory: %q", d)
	}
	// Beside load the processes live longer, and more of their CPU is in the samples that this build still counts.
	u := measure(t, broken, quiet, tree(t, 2, 100)...)
	if u.lost > 0 {
		t.Skipf("SKIPPED: the machine is too busy to measure on: %d events were lost, three times", u.lost)
	}
	if d := u.defects(0.15); !has(d, "CPU seconds") {
		t.Errorf("CPU that was left out went unnoticed: %q", d)
	}
}

// newCage makes a control group of version 1 with little memory, and returns its folder.
func newCage(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root makes control groups here")
	}
	dir := filepath.Join("/sys/fs/cgroup/memory", fmt.Sprintf("cage-of-tests-%d-%d", os.Getpid(), time.Now().UnixNano())) // a recorder removes what is named as a run's
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("SKIPPED: no control group with a memory limit can be made: %v", err)
	}
	t.Cleanup(func() { await(t, "end of the cage", func() bool { return os.Remove(dir) == nil }) })
	limit := []byte(strconv.Itoa(16 << 20))
	if err := os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), limit, 0); err != nil {
		t.Fatal(err)
	}
	_ = os.WriteFile(filepath.Join(dir, "memory.memsw.limit_in_bytes"), limit, 0) // where there is swap
	return dir
}

// record starts a recorder, and returns when it has taken a sample.
func record(t *testing.T, program, dir string, flags ...string) *process {
	t.Helper()
	return recording(t, dir, append([]string{program, "up", "--data", dir, "--interval", "250ms", "--host", "testhost"}, flags...))
}

// recordAsNobody is record as a user who may do nothing.
func recordAsNobody(t *testing.T, dir string) *process {
	t.Helper()
	for _, p := range []string{filepath.Dir(dir), filepath.Dir(proctape), proctape} { // the way to both is open to everybody
		open(t, p)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	return recording(t, dir, []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
		proctape, "up", "--data", dir, "--interval", "250ms", "--host", "testhost"})
}

func recording(t *testing.T, dir string, args []string) *process {
	t.Helper()
	recorder := startProgram(t, args[0], args[1:]...)
	recorder.awaitLine("In another terminal")
	await(t, "a snapshot", func() bool { return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM snapshots`) > 0 })
	return recorder
}
