package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inOwnProc runs a program in a pid namespace and a /proc of its own, as a container does, with the machine's at two folders.
const inOwnProc = `set -e
at=$1
shift
mkdir -p "$at/proc" "$at/sys"
mount --rbind /proc "$at/proc"
mount --rbind /sys "$at/sys"
exec unshare --pid --fork --kill-child --mount-proc "$@"`

// TestMounts_Recorded records a machine from a container that has its /proc and /sys at other folders: the processes of the machine with
// their own pids, and their ends. The control is the same recorder without --proc, which sees the container alone.
func TestMounts_Recorded(t *testing.T) {
	long(t)
	t.Parallel()
	at := t.TempDir()
	if out, err := exec.Command("unshare", "--mount", "sh", "-c", inOwnProc, "sh", at, "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no namespace can be made here: %v %s", err, out)
	}
	for name, flags := range map[string][]string{
		"as it is": {"--proc", filepath.Join(at, "proc"), "--sys", filepath.Join(at, "sys")},
		"control":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outside := exec.Command("sleep", "4711")
			if err := outside.Start(); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			group, _ := newMemoryGroup(t, 400<<20) // now: one that is empty for long is swept as what a run left
			into := `echo $$ >"$0"/cgroup.procs && exec "$@"`
			p := startProgram(t, "sh", append([]string{"-c", into, group, "unshare", "--mount", "sh", "-c", inOwnProc, "sh", at, proctape, "up", "--data", dir, "--interval", "200ms",
				"--host", "node", "--events", "auto"}, flags...)...)
			p.awaitLine("In another terminal")
			awaitSnapshots(t, dir, 3)
			if err := outside.Process.Signal(unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = outside.Wait() // by the signal
			db := filepath.Join(dir, "monitor.db")
			had := snapshotsOf(t, db, "node")
			await(t, "snapshots", func() bool { return snapshotsOf(t, db, "node") > had+5 })
			stopInside(t, p)
			seen := count(t, db, fmt.Sprintf(`SELECT count(*) FROM processes WHERE pid = %d AND command = 'sleep 4711'`, outside.Process.Pid))
			ended := count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid = %d AND event_type = 'exit'`, outside.Process.Pid))
			if flags == nil {
				if seen > 0 || ended > 0 {
					t.Error("the control sees the machine without --proc: this test catches nothing")
				}
				return
			}
			if seen != 1 || ended != 1 {
				t.Errorf("the machine's process has %d rows and %d ends, want 1 and 1\n%s", seen, ended, strings.Join(p.out(), "\n"))
			}
			checkMachineAndGroup(t, dir)
		})
	}
}

// stopInside stops the program that unshare(1) has forked, which ignores signals itself meanwhile.
func stopInside(t *testing.T, p *process) {
	t.Helper()
	pid := p.cmd.Process.Pid
	child, err := strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)))(t))))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(child, unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.wait()
}

// checkMachineAndGroup checks that a recording has the memory of the machine beside that of the recorder's own group, and the recorder
// by the machine's pid.
func checkMachineAndGroup(t *testing.T, dir string) {
	t.Helper()
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Total float64 `json:"system_memory_total_mb"`
		Limit float64 `json:"group_memory_limit_mb"`
		PID   int64   `json:"daemon_pid"`
		RSS   float64 `json:"daemon_rss_mb"`
	}
	if err := json.Unmarshal([]byte(run(t, "snapshots", "--data", dir, "--newest", "--limit", "1", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	total := float64(uint64(info.Totalram)*uint64(info.Unit)) / (1 << 20)
	if s.Total < 0.9*total || s.Total > 1.1*total || s.Limit != 400 || s.PID < 10 || s.RSS < 1 {
		t.Errorf("got %+v, want about %.0f MiB, a limit of 400, and the recorder's own pid and memory", s, total)
	}
}

// TestMounts_Refused refuses a folder that is no /proc, with what mounts one.
func TestMounts_Refused(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(proctape, "doctor", "--data", t.TempDir(), "--proc", os.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is not the /proc of a machine") || !strings.Contains(string(out), "--volume /proc:/host/proc:ro") {
		t.Errorf("%v\n%s", err, out)
	}
}
