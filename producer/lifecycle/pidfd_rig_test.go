package lifecycle_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// recordTimeout is how long a test waits for what takes a second at most on a machine at rest.
const recordTimeout = 5 * time.Minute

// pidfdRig is a Pidfd that watches this machine, and what it has told so far.
type pidfdRig struct {
	*lifecycle.Pidfd
	t    *testing.T
	fs   *procfs.FS
	told []schema.KindedEvent

	beforeDescribe func(pid int)
}

// newPidfdRig returns a rig that knows who is there and whose last listing is a moment old.
func newPidfdRig(t *testing.T) *pidfdRig {
	r := newBlankRig(t)
	r.poll()
	return r
}

// newBlankRig returns a rig that has seen nothing.
func newBlankRig(t *testing.T) *pidfdRig {
	t.Helper()
	r := &pidfdRig{t: t, fs: procfs.New("")}
	p, err := lifecycle.NewPidfd(lifecycle.Config{Describe: r.describe})
	if err != nil {
		t.Fatal(err)
	}
	r.Pidfd = p
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		r.fs.Close()
	})
	return r
}

func (r *pidfdRig) describe(pid int) (lifecycle.Description, bool) {
	if r.beforeDescribe != nil {
		r.beforeDescribe(pid)
	}
	p, err := r.fs.Process(pid, procfs.Options{})
	return lifecycle.Description{
		PPID: p.PPID, StartTicks: p.StartTicks, UID: schema.Opt[int64]{V: int64(p.UID), Known: p.UIDKnown}, Command: p.Comm,
	}, err == nil
}

// poll polls once and takes everything.
func (r *pidfdRig) poll() {
	r.t.Helper()
	if lossy, err := r.Poll(); lossy || err != nil {
		r.t.Fatalf("poll: got %t, %v", lossy, err)
	}
	occurred, gaps := r.Take(math.MaxInt64)
	if gaps != nil {
		r.t.Fatalf("got gaps %v", gaps)
	}
	r.told = append(r.told, occurred...)
}

// pollUntil polls until done says so.
func (r *pidfdRig) pollUntil(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(recordTimeout); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not in %s; told: %v", what, recordTimeout, briefs(r.told))
		}
		r.poll()
	}
}

// of returns what was told of a pid, in order.
func (r *pidfdRig) of(pid int) []schema.KindedEvent {
	var out []schema.KindedEvent
	for _, o := range r.told {
		if o.Event.PID == pid {
			out = append(out, o)
		}
	}
	return out
}

func (r *pidfdRig) awaitKind(kind schema.Kind, pid int) schema.Event {
	r.t.Helper()
	var found schema.Event
	r.pollUntil(fmt.Sprintf("%s of %d", kind, pid), func() bool {
		for _, o := range r.told {
			if o.Kind == kind && o.Event.PID == pid {
				found = o.Event
				return true
			}
		}
		return false
	})
	return found
}

func (r *pidfdRig) awaitSpawn(pid int) schema.Event {
	r.t.Helper()
	return r.awaitKind(schema.KindSpawn, pid)
}

func (r *pidfdRig) awaitExit(pid int) schema.Event {
	r.t.Helper()
	return r.awaitKind(schema.KindExit, pid)
}

// scan is the process table now, of the given pids that live.
func (r *pidfdRig) scan(pids ...int) lifecycle.Scan {
	r.t.Helper()
	l := lifecycle.Scan{Wall: time.Now().UnixNano(), Boot: bootNow(r.t)}
	for _, pid := range pids {
		if d, ok := r.describe(pid); ok {
			l.Processes = append(l.Processes, schema.Process{
				PID: pid, PPID: d.PPID, StartTicks: d.StartTicks, UID: d.UID, Command: d.Command, State: "S",
			})
		}
	}
	return l
}

func bootNow(t *testing.T) int64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return ts.Nano()
}

// shell is a shell that runs a script, which waits for its input where it wants to.
type shell struct {
	t      *testing.T
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	waited bool
}

// startShell starts a script.
func startShell(t *testing.T, script string) *shell {
	t.Helper()
	s := &shell{t: t, cmd: exec.Command("/bin/sh", "-c", script)}
	s.cmd.Dir = t.TempDir()
	input, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.input, s.output = input, bufio.NewReader(output)
	t.Cleanup(func() {
		input.Close()
		s.cmd.Process.Kill()
		s.wait()
	})
	return s
}

func (s *shell) pid() int { return s.cmd.Process.Pid }

// say gives the script its next line of input.
func (s *shell) say(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.input, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

// line is the next line of the script's output.
func (s *shell) line() string {
	s.t.Helper()
	line, err := s.output.ReadString('\n')
	if err != nil {
		s.t.Fatalf("read what the script says: %v", err)
	}
	return strings.TrimSpace(line)
}

// wait waits for the script's end and returns how it ended.
func (s *shell) wait() syscall.WaitStatus {
	if !s.waited {
		s.waited = true
		_ = s.cmd.Wait() // how it ended is in the state
	}
	return s.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// lockOtherThread runs f on a thread that is not the first of the process.
func lockOtherThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() == syscall.Getpid() {
			lockOtherThread(f) // while we hold the first thread
			select {}
		}
		f()
	}()
}

// self is the path of this program.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
