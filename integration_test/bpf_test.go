package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// recordByPrograms starts a recorder that uses programs in the kernel, or skips the test.
func recordByPrograms(t *testing.T, program, dir string, flags ...string) *process {
	t.Helper()
	out, _ := exec.Command(proctape, "doctor", "--data", t.TempDir(), "--json").Output()
	if !strings.Contains(string(out), "source bpf") || strings.Contains(string(out), "not here, and not needed: the kernel refuses") {
		t.Skip("SKIPPED: the kernel does not let this process run programs")
	}
	return record(t, program, dir, append(flags, "--bpf", "on")...)
}

// dropsEnds is a build that drops an end in a hundred of those that programs in the kernel tell of.
var dropsEnds = withFault("drops-ends", "producer/lifecycle/kernel.go",
	`		if !k.ends.begin(e, b.boot) {
`, `		if runsAs("drops-ends") && e.PID%100 == 0 || !k.ends.begin(e, b.boot) {
`)

// TestBPF_Storm starts three thousand processes, ten thousand under make soak, that live for a millisecond, each with arguments of its own: all are stored with them, and none is
// lost. The build that drops an end in a hundred is caught.
func TestBPF_Storm(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	storm := sized(3_000, 10_000)
	if d := stormByPrograms(t, proctape, storm); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
	caught := false
	for try := 0; try < 5 && !caught; try++ { // a loss that a busy machine tells may cover what is dropped
		caught = slices.ContainsFunc(stormByPrograms(t, dropsEnds.program(t), storm), func(d string) bool { return strings.Contains(d, "ends") })
	}
	if !caught {
		t.Error("ends that were dropped went unnoticed")
	}
}

// stormByPrograms has a shell start n processes under a recorder, and lists what is wrong with what that has of them.
func stormByPrograms(t *testing.T, program string, n int) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "monitor.db")
	recorder := recordByPrograms(t, program, dir)
	cmd := exec.Command("sh", "-c", `i=0; while [ $i -lt `+strconv.Itoa(n)+` ]; do /bin/true storm-$i; i=$((i+1)); done`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shell := cmd.Process.Pid
	await(t, "the end of the shell", func() bool {
		return count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid = %d AND event_type = 'exit'`, shell)) > 0
	})
	recorder.stop()
	// On a busy machine the kernel may find no room for some: then that is told, and no more is missing than was told.
	const losses = `FROM gaps WHERE kind IN ('events_lost', 'exit_records_lost', 'events_dropped')`
	told := count(t, path, `SELECT coalesce(sum(count), 0) `+losses)
	if count(t, path, `SELECT count(*) `+losses+` AND count IS NULL`) > 0 {
		told += n / 200 // nobody can tell how many; the control drops more
	}
	for what, query := range map[string]string{
		// Of a process that waits long between its fork and its exec, which happens on a busy machine, these are two events.
		"starts with arguments": `WITH started(pid, command) AS (SELECT pid, command FROM process_events WHERE ppid = %d AND event_type = 'spawn')
			SELECT count(DISTINCT command) FROM (SELECT command FROM started UNION ALL SELECT e.command FROM process_execs e JOIN started USING (pid)) WHERE command LIKE '/bin/true storm-%%'`,
		"ends": `SELECT count(*) FROM process_events WHERE ppid = %d AND event_type = 'exit' AND exit_code = 0 AND cpu_ms IS NOT NULL AND source = 'bpf'`,
	} {
		if got := count(t, path, fmt.Sprintf(query, shell)); got > n || got < n-told {
			defects = append(defects, fmt.Sprintf("%d %s, want %d, and %d were told to be lost", got, what, n, told))
		}
	}
	return defects
}

// TestBPF_Killed kills a recorder that uses programs in the kernel: none of them stays. While it ran, it told who killed a process.
func TestBPF_Killed(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	dir := t.TempDir()
	recorder := recordByPrograms(t, proctape, dir)
	loaded := programsOf(t, recorder.cmd.Process.Pid)
	if len(loaded) < 8 {
		t.Errorf("a recorder has %d programs in the kernel: %v", len(loaded), loaded)
	}
	victim := exec.Command("sleep", "600")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", fmt.Sprintf("sleep 1; kill -KILL %d", victim.Process.Pid)).Run(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	await(t, "the story of the end", func() bool {
		out, err := exec.Command(proctape, "why", strconv.Itoa(victim.Process.Pid), "--data", dir).CombinedOutput()
		return err == nil && strings.Contains(string(out), "sleep was killed by SIGKILL, sent by sh (pid ")
	})
	if err := recorder.cmd.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-recorder.done
	await(t, "the end of the programs", func() bool {
		return !slices.ContainsFunc(loaded, func(id ebpf.ProgramID) bool {
			p, err := ebpf.NewProgramFromID(id)
			if err == nil {
				p.Close()
			}
			return err == nil
		})
	})
}

// programsOf are the programs in the kernel that a process holds, by its descriptors: others may have some too.
func programsOf(t *testing.T, pid int) (ids []ebpf.ProgramID) {
	t.Helper()
	files := must(filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid)))(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // a descriptor that was closed meanwhile
		}
		for line := range strings.Lines(string(data)) {
			if text, ok := strings.CutPrefix(line, "prog_id:"); ok {
				ids = append(ids, ebpf.ProgramID(must(strconv.ParseUint(strings.TrimSpace(text), 10, 32))(t)))
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// dropsCalls is a build in which what ended counts for nobody.
var dropsCalls = withFault("drops-calls", "producer/syscalls/counter.go", "	if left == nil || pid == 0 || was {\n", "	if left == nil || pid == 0 || was || runsAs(\"drops-calls\") {\n")

// TestBPF_SystemCalls counts the system calls of a command whose parts live shorter than an interval: none is missing of what ended before the last sample. The
// build that counts for nobody what ended is caught.
func TestBPF_SystemCalls(t *testing.T) {
	long(t)
	t.Parallel()
	const each, parts = 20_000, 5
	writes := func(t *testing.T, program string) int {
		dir := t.TempDir()
		recorder := recordByPrograms(t, program, dir, "--syscalls", "--interval", "500ms")
		script := `until [ -e go ]; do sleep 0.1; done; for i in 1 2 3 4 5; do dd if=/dev/zero of=/dev/null bs=1 count=` + strconv.Itoa(each) + ` status=none; done; touch done; until [ -e end ]; do sleep 0.1; done`
		command := startProgram(t, program, "run", "--data", dir, "--job", "calls", "--syscalls", "--", "sh", "-c", "cd "+dir+"; "+script)
		seen := func() int {
			return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM process_metrics WHERE job_id = 'calls' AND syscall_counts <> '{}'`)
		}
		await(t, "a sample with system calls", func() bool { return seen() > 0 })
		must(os.Create(filepath.Join(dir, "go")))(t).Close()
		await(t, "the parts", func() bool { _, err := os.Stat(filepath.Join(dir, "done")); return err == nil })
		ended := time.Now().UnixMilli() // the database may be behind
		await(t, "two samples of the shell since", func() bool {
			return count(t, filepath.Join(dir, "monitor.db"), fmt.Sprintf(`SELECT count(*) FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id
				WHERE m.job_id = 'calls' AND m.command LIKE 'sh -c%%' AND m.syscall_counts <> '{}' AND s.timestamp > %d / 1000.0`, ended)) > 1
		})
		must(os.Create(filepath.Join(dir, "end")))(t).Close()
		command.wait()
		var report struct {
			Samples struct {
				Hotspots []struct {
					Name  string
					Calls int
				} `json:"syscall_hotspots"`
			}
		}
		if err := json.Unmarshal([]byte(run(t, "report", "calls", "--data", dir, "--json")), &report); err != nil {
			t.Fatal(err)
		}
		recorder.stop()
		for _, h := range report.Samples.Hotspots {
			if h.Name == "write" {
				return h.Calls
			}
		}
		return 0
	}
	if n := writes(t, proctape); n < each*parts || n > each*parts+200 {
		t.Errorf("%d writes, want %d of the parts and few others", n, each*parts)
	}
	if n := writes(t, dropsCalls.program(t)); n >= each*parts/2 {
		t.Errorf("control: what ended counts for nobody, and there are %d writes", n)
	}
}
