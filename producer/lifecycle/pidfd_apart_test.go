package lifecycle_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// A pid that is used again between two listings is an end, with its code, and a start.
func TestPidfd_PidReused(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const apart = "PIDFD_TEST_APART"
	if os.Getenv(apart) == "" {
		rerun(t, t.Name(), &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}, apart+"=1")
		return
	}
	mountOwnProc(t)
	for name, max := range map[string]int{"with a pidfd": 100, "without": 0} {
		t.Run(name, func(t *testing.T) {
			r := newBlankRig(t)
			r.SetMax(max)
			r.poll()
			a := startShell(t, `read -r code; exit "$code"`)
			first := r.awaitSpawn(a.pid())
			a.say("11")
			a.wait()
			b := startShellAt(t, a.pid(), `read -r code; exit "$code"`)
			r.pollUntil("two spawns", func() bool { return len(r.of(a.pid())) >= 3 })
			b.say("12")
			b.wait()
			r.pollUntil("two ends", func() bool { return len(r.of(a.pid())) >= 4 })

			told := r.of(a.pid())
			second := told[2].Event
			want := []string{brief(told[0]), fmt.Sprintf("-%d@%d", a.pid(), first.StartTicks),
				fmt.Sprintf("+%d@%d", a.pid(), second.StartTicks), fmt.Sprintf("-%d@%d", a.pid(), second.StartTicks)}
			if got := briefs(told); !slices.Equal(got, want) || first.StartTicks == second.StartTicks {
				t.Errorf("told %v, want %v, of two processes", got, want)
			}
			if told[1].Event.Boot > second.Boot {
				t.Errorf("the pid was used again at %d, before its first process ended at %d", second.Boot, told[1].Event.Boot)
			}
			if known := max > 0; told[1].Event.ExitCode != (schema.Opt[int64]{V: 11, Known: true}) && known {
				t.Errorf("got %+v", told[1].Event)
			}
		})
	}
}

// The pid of a process is used again after its pidfd was opened and before it is described. The code of the one is
// not told as the other's.
func TestPidfd_PidReusedBeforeItIsDescribed(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const apart = "PIDFD_TEST_APART"
	if os.Getenv(apart) == "" {
		rerun(t, t.Name(), &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}, apart+"=1")
		return
	}
	mountOwnProc(t)
	r := newPidfdRig(t)
	a := startShell(t, `read -r code; exit "$code"`)
	var b *shell
	r.beforeDescribe = func(pid int) {
		if pid == a.pid() && b == nil {
			a.say("11")
			a.wait()
			b = startShellAt(t, pid, `read -r code; exit "$code"`)
		}
	}
	r.awaitSpawn(a.pid())
	b.say("12")
	b.wait()
	e := r.awaitExit(a.pid())
	if e.ExitCode != schema.Some(int64(12)) || len(r.of(a.pid())) != 2 {
		t.Errorf("told %v: %+v", briefs(r.of(a.pid())), e)
	}
}

// startShellAt starts a script as the process with a pid that is free. It takes root in a pid namespace of our own.
func startShellAt(t *testing.T, pid int, script string) *shell {
	t.Helper()
	for range 1000 { // a thread of ours may take the pid first
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Fatal(err)
		}
		if s := startShell(t, script); s.pid() == pid {
			return s
		}
	}
	t.Fatalf("pid %d is not to be had", pid)
	return nil
}

// In a pid namespace of its own it watches that one's processes, once it has that one's /proc.
func TestPidfd_InAPidNamespace(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const apart = "PIDFD_TEST_APART"
	if os.Getenv(apart) == "" {
		rerun(t, t.Name(), &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}, apart+"=1")
		return
	}
	if p, err := lifecycle.NewPidfd(lifecycle.Config{}); err == nil {
		p.Close()
		t.Error("with the /proc of another namespace: got no error")
	} else if !strings.Contains(err.Error(), "own pid namespace") {
		t.Errorf("with the /proc of another namespace: got %v", err)
	}
	mountOwnProc(t)
	t.Run("signals", TestPidfd_Signals)
	t.Run("double fork", TestPidfd_DoubleFork)
}

func mountOwnProc(t *testing.T) {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		t.Fatal(err)
	}
}

// A user without any privilege sees the ends of everybody's processes.
func TestPidfd_Unprivileged(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	foreign := startShell(t, `read -r line`)
	rerunForeign(t, foreign)
}

// foreignPID names the environment variable with the pid of a process of another user.
const foreignPID = "PIDFD_TEST_FOREIGN"

// rerunForeign runs tests without privileges, TestPidfd_OfAnotherUser with the given process.
func rerunForeign(t *testing.T, foreign *shell) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root, to be another user")
	}
	const nobody = 65534
	tests := []string{"TestPidfd_OfAnotherUser", "TestPidfd_Signals", "TestPidfd_DoubleFork", "TestPidfd_ScanShowsMissedProcesses"}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run", "^("+strings.Join(tests, "|")+")$", "-test.timeout", "2m")
	cmd.Env = append(os.Environ(), foreignPID+"="+strconv.Itoa(foreign.pid()), "TMPDIR=/tmp", "HOME=/")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	watching, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Close()
	cmd.ExtraFiles = []*os.File{w}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_, _ = io.ReadFull(watching, make([]byte, 1)) // it watches, or it has failed and says so below
	foreign.cmd.Process.Signal(syscall.SIGUSR1)
	foreign.wait()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	for _, name := range tests {
		if !strings.Contains(out.String(), "--- PASS: "+name) {
			t.Errorf("%s has not passed:\n%s", name, out.String())
		}
	}
}

func TestPidfd_OfAnotherUser(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv(foreignPID))
	if err != nil {
		t.Skip("SKIPPED: runs within TestPidfd_Unprivileged")
	}
	r := newPidfdRig(t)
	watching := os.NewFile(3, "watching")
	if _, err := fmt.Fprint(watching, "w"); err != nil {
		t.Fatal(err)
	}
	watching.Close()
	e := r.awaitExit(pid)
	if e.Signal != schema.Some(int64(syscall.SIGUSR1)) || e.UID != schema.Some(int64(0)) || os.Getuid() == 0 {
		t.Errorf("as uid %d: got %+v", os.Getuid(), e)
	}
}

// rerun runs tests of this package in a process of its own, which attr and env set apart, and passes on how that went.
func rerun(t *testing.T, tests string, attr *syscall.SysProcAttr, env ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root")
	}
	t.Parallel()
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run", "^("+tests+")$", "-test.timeout", "2m")
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, name := range strings.Split(tests, "|") {
		if !strings.Contains(string(out), "--- PASS: "+name) {
			t.Fatalf("%s has not passed:\n%s", name, out)
		}
	}
}
