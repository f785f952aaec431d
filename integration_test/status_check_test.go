package integration_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// checkStatus runs "status --check" and returns its exit code and its line.
func checkStatus(t *testing.T, args ...string) (code int, line string) {
	t.Helper()
	cmd := exec.Command(proctape, append([]string{"status", "--check"}, args...)...)
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Count(string(out), "\n") != 1 {
		t.Errorf("status --check prints %q, want one line", out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// awaitCheck waits for an exit code and words of the line.
func awaitCheck(t *testing.T, dir string, code int, words string) (line string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("status --check says last: %s", line)
		}
	}()
	await(t, fmt.Sprintf("status --check with %d and %q", code, words), func() bool {
		var got int
		got, line = checkStatus(t, "--data", dir)
		return got == code && strings.Contains(line, words)
	})
	return line
}

// TestStatus_Check asks a recorder how it is while samplers stop and are killed, and while it is halted and killed itself. Each
// state is the control of the others.
func TestStatus_Check(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	if code, line := checkStatus(t, "--data", dir); code != 3 {
		t.Errorf("without a database: %d, %s", code, line)
	}
	recorder := start(t, "up", "--data", dir, "--listen", "127.0.0.1:0", "--host", "hub", "--interval", "2s", "--events", "proc-diff") // which a busy machine loses nothing of
	recorder.awaitLine("In another terminal")
	url := listening(t, recorder)
	awaitCheck(t, dir, 0, "well")

	keys := map[string]string{"stopped": addHost(t, dir, "stopped"), "killed": addHost(t, dir, "killed")}
	lives := t.TempDir() // not where samplers of earlier runs left theirs
	sampler := func(host string) *process {
		p := start(t, "sample", "--data", lives, "--server", url, "--creds", keys[host], "--host", host, "--interval", "200ms", "--events", "proc-diff")
		before := snapshotsOf(t, filepath.Join(dir, "monitor.db"), host)
		await(t, "snapshots of "+host, func() bool { return snapshotsOf(t, filepath.Join(dir, "monitor.db"), host) > before+1 })
		return p
	}
	stopped, killed := sampler("stopped"), sampler("killed")
	stopped.stop()
	killed.cmd.Process.Kill()
	<-killed.done
	line := awaitCheck(t, dir, 1, "host killed is silent")
	if strings.Contains(line, "host stopped") {
		t.Errorf("a host whose sampler said that it stops is missed: %s", line)
	}
	if out := run(t, "status", "--data", dir); !strings.Contains(out, "ago, stopped") || strings.Count(out, "ago, stopped") != 1 {
		t.Errorf("status does not say which host was stopped:\n%s", out)
	}
	again := sampler("killed")
	awaitCheck(t, dir, 0, "well") // the second life has told how far the first came
	again.stop()
	awaitCheck(t, dir, 0, "well")

	signal := func(s unix.Signal) {
		if err := recorder.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(unix.SIGSTOP)
	awaitCheck(t, dir, 2, "is stopped by a signal")
	signal(unix.SIGCONT)
	signal(unix.SIGKILL)
	<-recorder.done
	awaitCheck(t, dir, 2, "no recorder runs")
}

// TestHangup sends SIGHUP to a recorder: under a service manager it reads its settings again and goes on, and else it stops in order.
func TestHangup(t *testing.T) {
	long(t)
	t.Parallel()
	for name, managed := range map[string]bool{"service manager": true, "terminal": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			settings, socket := filepath.Join(dir, "settings.yaml"), filepath.Join(dir, "notify")
			write := func(text string) {
				if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("log-level: warn\n")
			conn := must(net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}))(t)
			defer conn.Close()
			environment := "NOTIFY_SOCKET="
			if managed {
				environment += socket
			}
			// A program that nohup started does not hear of SIGHUP; the one under test is to, whoever runs the tests.
			p := startProgram(t, "env", "--default-signal=HUP", environment, proctape, "up", "--data", filepath.Join(dir, "data"), "--config", settings, "--host", "here")
			p.awaitLine("In another terminal")
			write("log-level: debug\ninterval: 3s\n")
			if err := p.cmd.Process.Signal(unix.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if !managed {
				p.wait()
				if p.err != nil || !strings.Contains(strings.Join(p.out(), "\n"), "Stopped after") {
					t.Errorf("SIGHUP of a terminal: %v\n%s", p.err, p.stderr())
				}
				return
			}
			p.awaitStderr("taken over: log-level")
			if !strings.Contains(p.stderr(), "needs a restart: interval") {
				t.Errorf("the recorder says\n%s", p.stderr())
			}
			p.stop()
		})
	}
}

// TestMemory_ControlGroup records and replays in control groups with little memory.
func TestMemory_ControlGroup(t *testing.T) {
	long(t)
	t.Parallel()
	inGroup := func(limit int64, args ...string) (*process, func() (killed bool)) {
		dir, file := newMemoryGroup(t, limit)
		p := startProgram(t, "sh", append([]string{"-c", `echo $$ >"$0"/cgroup.procs && exec "$@"`, dir, proctape}, args...)...)
		return p, func() bool { return oomKills(t, filepath.Join(dir, file)) > 0 }
	}
	dir, snapshots := t.TempDir(), 50
	if soak {
		snapshots = 3000
	}
	p, killed := inGroup(128<<20, "up", "--data", dir, "--host", "here", "--interval", "100ms")
	p.awaitLine("memory    64 MiB at most")
	db := filepath.Join(dir, "monitor.db")
	await(t, "snapshots", func() bool { return snapshotsOf(t, db, "here") >= snapshots })
	p.stop()
	if killed() {
		t.Error("a recorder in 128 MiB was killed for want of memory")
	}
	p, killed = inGroup(256<<20, "replay", "--data", dir, "--db", filepath.Join(t.TempDir(), "again.db"))
	p.wait()
	if p.err != nil || killed() {
		t.Errorf("a replay in 256 MiB: %v\n%s", p.err, p.stderr())
	}
	// The control: a group that is far too small kills, and is seen to.
	p, killed = inGroup(8<<20, "replay", "--data", dir, "--db", filepath.Join(t.TempDir(), "never.db"))
	p.wait()
	if p.err == nil || !killed() {
		t.Errorf("a replay in 8 MiB: %v, killed %v: this test catches nothing", p.err, killed())
	}
}

// newMemoryGroup makes a control group, of whichever version limits memory here, and returns its folder and the file that counts
// kills in it.
func newMemoryGroup(t *testing.T, limit int64) (dir, events string) {
	t.Helper()
	for _, v := range []struct{ root, limit, events string }{
		{"/sys/fs/cgroup", "memory.max", "memory.events"}, {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"}} {
		dir, err := os.MkdirTemp(v.root, "memory-of-tests-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		f, err := os.OpenFile(filepath.Join(dir, v.limit), os.O_WRONLY, 0) // a plain folder has no such file
		if err != nil {
			continue
		}
		_, err = f.WriteString(strconv.FormatInt(limit, 10))
		if f.Close(); err == nil {
			return dir, v.events
		}
	}
	t.Skip("SKIPPED: this test may make no control group that limits memory")
	return "", ""
}

// oomKills reads how often the kernel killed for want of memory in a group.
func oomKills(t *testing.T, file string) (n int) {
	t.Helper()
	for line := range strings.Lines(string(must(os.ReadFile(file))(t))) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n = must(strconv.Atoi(strings.TrimSpace(count)))(t)
		}
	}
	return n
}
