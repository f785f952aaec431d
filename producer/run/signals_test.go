package run

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
)

func TestWait_PassesSignalsOn(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: self(t, "watcher")})
	e.start(t)
	e.next(t)
	e.wantLine(t, "ready")
	for _, s := range forwardedSignals() {
		if s == unix.SIGTERM || s == unix.SIGTSTP {
			continue
		}
		if err := e.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		e.wantLine(t, signalName(s))
	}
	e.Process.Signal(unix.SIGTERM)
	e.wantLine(t, "SIGTERM")
	if r := e.next(t).Result; r.ExitCode != 0 || r.Undelivered != 0 {
		t.Errorf("result %+v", r)
	}
	e.end(t)
}

func TestWait_EndsBySignalPassedOn(t *testing.T) {
	t.Parallel()
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR2, unix.SIGQUIT} {
		e := newEngine(t, Config{Args: sh("ulimit -c 0; echo ready; exec sleep 1000")})
		e.start(t)
		e.wantLine(t, "ready")
		e.Process.Signal(s)
		e.next(t)
		if r := e.next(t).Result; r.Signal != s {
			t.Errorf("%v: result %+v", s, r)
		}
		if code := e.end(t); code != 128+int(s) {
			t.Errorf("%v: exit %d", s, code)
		}
	}
}

// TestWait_OutlivesASignalToTheWholeGroup: it can reach us when the command has ended by it already.
func TestWait_OutlivesASignalToTheWholeGroup(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	for range 20 {
		e := newEngine(t, Config{Args: sh("echo ready; exec sleep 1000")})
		e.start(t)
		e.wantLine(t, "ready")
		unix.Kill(-e.Process.Pid, unix.SIGTERM)
		e.next(t)
		if r := e.next(t).Result; r.Signal != unix.SIGTERM {
			t.Errorf("result %+v", r)
		}
		e.Process.Signal(unix.SIGTERM) // while it tells the result
		if code := e.end(t); code != 128+int(unix.SIGTERM) {
			t.Errorf("exit %d", code)
		}
	}
}

// TestWait_GoesOnWhenOnlyTheCommandIsStopped: without a terminal nobody would continue us.
func TestWait_GoesOnWhenOnlyTheCommandIsStopped(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: self(t, "watcher")})
	e.start(t)
	pid := e.next(t).Command.PID
	e.wantLine(t, "ready")

	unix.Kill(pid, unix.SIGSTOP)
	waitState(t, pid, 'T')
	e.Process.Signal(unix.SIGUSR1) // taken, and passed on to a process that does not run
	unix.Kill(pid, unix.SIGCONT)
	for range 2 { // in either order
		if line := e.line(t); line != "SIGUSR1" && line != "SIGCONT" {
			t.Errorf("got %q", line)
		}
	}
	e.Process.Signal(unix.SIGTERM)
	e.wantLine(t, "SIGTERM")
	e.end(t)
}

// state is the letter of a process's state, 0 when it is gone.
func state(t *testing.T, pid int) byte {
	t.Helper()
	fs := procfs.New("")
	defer fs.Close()
	p, err := fs.Process(pid, procfs.Options{})
	if err != nil {
		return 0
	}
	return p.State
}

func waitState(t *testing.T, pid int, want byte) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d in state %c", pid, want), func() bool { return state(t, pid) == want })
}
