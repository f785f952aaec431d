package run

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// orphan leaves an orphan to be reaped and ends when that has been done.
const orphan = `(sleep 0.05 & echo $!) >/dev/null
	while [ $(cat /proc/$PPID/task/*/children | wc -w) -gt 1 ]; do sleep 0.05; done; exit 3`

// wantOrphan checks the result of orphan, run by an engine that may make no control group, and why it may not.
func wantOrphan(t *testing.T, e *engine, reason string) {
	t.Helper()
	e.start(t)
	if r := e.next(t); r.Command.Cgroup != "" || !strings.Contains(r.NoCgroup, reason) || !r.Command.StartTicks.Known {
		t.Errorf("report %+v, want no group, for %q", r, reason)
	}
	r := e.next(t).Result
	if r.ExitCode != 3 || r.Waited != 2 || r.LeftBehind != schema.Some(0) || r.CgroupCPU.Known || r.WaitedCPU.Total() == 0 {
		t.Errorf("result %+v", r)
	}
	if code := e.end(t); code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: it needs root")
	}
}

func TestRun_AsNobody(t *testing.T) {
	t.Parallel()
	needRoot(t)
	groupDir(t)
	e := newEngine(t, Config{Args: sh(orphan), Cgroup: "j"})
	e.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	wantOrphan(t, e, "permission denied")
}

// TestRun_AsTheFirstProcess of a pid namespace, where every control group file system is mounted read-only: the ordinary
// container.
func TestRun_AsTheFirstProcess(t *testing.T) {
	t.Parallel()
	needRoot(t)
	groupDir(t)
	e := newEngine(t, Config{Args: sh(orphan), Cgroup: "j"})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e.Path, e.Args = "/bin/sh", append(sh(`set -e
		mount -t proc proc /proc
		for m in $(awk '$0 ~ / - cgroup2? / { print $5 }' /proc/self/mountinfo); do mount -o remount,bind,ro "$m"; done
		exec "$0"`), exe)
	e.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
	e.SysProcAttr.Unshareflags = unix.CLONE_NEWNS // which makes all mounts private
	wantOrphan(t, e, "read-only file system")
}

// TestRun_CountsSignalsThatItMayNotSend tries again when the command's end overtakes the signal.
func TestRun_CountsSignalsThatItMayNotSend(t *testing.T) {
	t.Parallel()
	needRoot(t)
	var r Result
	for range 50 {
		if r = signalForeign(t); r.Undelivered == 1 {
			return
		}
	}
	t.Errorf("result %+v, want a signal that was not passed on", r)
}

// signalForeign sends a signal for a command that has become another user, as sudo(8) does, and then kills it.
func signalForeign(t *testing.T) Result {
	t.Helper()
	e := newEngine(t, Config{Args: []string{"setpriv", "--reuid=65533", "sh", "-c", "echo ready; exec sleep 1000"}})
	e.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	e.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SETUID}
	e.start(t)
	pid := e.next(t).Command.PID
	e.wantLine(t, "ready")
	e.Process.Signal(unix.SIGTERM)
	unix.Kill(pid, unix.SIGKILL)
	r := e.next(t).Result
	if code := e.end(t); code != 128+int(unix.SIGKILL) {
		t.Errorf("exit %d", code)
	}
	return *r
}
