package syscalls

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

func TestStrace_CountsTheCallsOfABusyProcess(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	before := c.rounds(t)
	profile, err := Strace{grace: patience}.Trace(t.Context(), c.pid(), 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	after := c.rounds(t)
	if got := tracer(t, c.pid()); got != 0 {
		t.Errorf("process %d traces the child after the trace", got)
	}

	calls := map[string]schema.Syscall{}
	var shares uint64
	for _, call := range profile.Calls {
		calls[call.Name] = call
		shares += call.TimeX100
	}
	reads, writes := calls["read"].Calls, calls["write"].Calls
	if reads < 10 || reads > after-before+1 || max(reads, writes)-min(reads, writes) > 2 {
		t.Errorf("got %d reads and %d writes, want as many of one as of the other, and no more than the child made: %d", reads, writes, after-before)
	}
	if shares < 9900 || shares > 10100 {
		t.Errorf("the shares add up to %d, want 10000", shares)
	}
	if profile.Duration < 500*time.Millisecond {
		t.Errorf("attached for %s, want 500ms", profile.Duration)
	}

	traced := float64(reads) / profile.Duration.Seconds()
	free := speed(t, c)
	t.Logf("%.0f rounds/s traced, %.0f/s not traced: %.0f times slower", traced, free, free/traced)
}

// speed is how many rounds a second a busy child makes.
func speed(t *testing.T, c *child) float64 {
	t.Helper()
	began, first := time.Now(), c.rounds(t)
	eventually(t, "20000 rounds", func() bool { return c.rounds(t) >= first+20000 })
	return float64(c.rounds(t)-first) / time.Since(began).Seconds()
}

func TestStrace_ProcessThatMakesNoCalls(t *testing.T) {
	needStrace(t)
	sleeper := exec.Command("sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		sleeper.Process.Kill()
		sleeper.Wait()
	}()
	eventually(t, "sleep", func() bool {
		comm, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(sleeper.Process.Pid), "comm"))
		target, err := readTarget(sleeper.Process.Pid)
		return err == nil && target.state == "S" && string(comm) == "sleep\n"
	})
	profile, err := Strace{grace: patience}.Trace(t.Context(), sleeper.Process.Pid, 100*time.Millisecond)
	if err != nil || len(profile.Calls) != 0 || profile.Duration < 100*time.Millisecond {
		t.Errorf("got %+v, %v, want no calls", profile, err)
	}
}

func TestStrace_StopsWithItsContext(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if target, err := readTarget(c.pid()); err == nil && target.tracer != 0 {
				return
			}
		}
	}()
	if profile, err := (Strace{grace: patience}).Trace(ctx, c.pid(), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v, want %v", profile, err, context.Canceled)
	}
	if got := tracer(t, c.pid()); got != 0 {
		t.Errorf("process %d still traces the child", got)
	}
	speed(t, c) // it goes on
}

func TestStrace_ProcessThatEndsMeanwhile(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		profile, err := Strace{grace: patience}.Trace(t.Context(), c.pid(), time.Hour)
		if err == nil && len(profile.Calls) == 0 {
			err = errors.New("no calls")
		}
		done <- err
	}()
	// From its first stop on its calls are counted.
	eventually(t, "stop by the tracer", func() bool {
		select {
		case err := <-done:
			t.Fatalf("it was not traced: %v", err)
		default:
		}
		target, err := readTarget(c.pid())
		return err == nil && target.state == "t"
	})
	n := c.rounds(t)
	eventually(t, "round", func() bool { return c.rounds(t) > n+1 })
	c.kill(t)
	if err := <-done; err != nil {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestStrace_SaysWhyNot(t *testing.T) {
	gone := startChild(t, "idle")
	gone.end(t)
	zombie := startChild(t, "idle")
	zombie.stdin.Close()
	eventually(t, "zombie", func() bool { target, err := readTarget(zombie.pid()); return err == nil && target.state == "Z" })
	idle := startChild(t, "idle")
	tests := map[string]struct {
		path string
		pid  int
		want error
	}{
		"no strace":     {filepath.Join(t.TempDir(), "strace"), idle.pid(), ErrNotInstalled},
		"gone":          {"", gone.pid(), ErrGone},
		"zombie":        {"", zombie.pid(), ErrGone},
		"zero":          {"", 0, ErrGone},
		"negative":      {"", -1, ErrGone},
		"beyond pids":   {"", 1 << 30, ErrGone},
		"a thread":      {"", anotherThread(t, idle.pid()), ErrGone},
		"itself":        {"", os.Getpid(), ErrOwn},
		"an own thread": {"", unix.Gettid(), ErrOwn},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			profile, err := Strace{Path: tt.path, grace: patience}.Trace(t.Context(), tt.pid, time.Second)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", profile, err, tt.want)
			}
			t.Log(err)
		})
	}
}

// anotherThread is a thread of a process, other than its first.
func anotherThread(t *testing.T, pid int) int {
	t.Helper()
	tids, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil || len(tids) < 2 {
		t.Fatalf("%d threads, %v, want some", len(tids), err)
	}
	tid, err := strconv.Atoi(tids[len(tids)-1].Name())
	if err != nil || tid == pid {
		t.Fatalf("thread %d of %d, %v", tid, pid, err)
	}
	return tid
}

func TestStrace_SecondTracerIsRefused(t *testing.T) {
	needStrace(t)
	c := startChild(t, "idle")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Strace{grace: patience}.Trace(ctx, c.pid(), time.Hour)
		done <- err
	}()
	eventually(t, "first tracer", func() bool { return tracer(t, c.pid()) != 0 })
	first := tracer(t, c.pid())
	_, err := Strace{grace: patience}.Trace(t.Context(), c.pid(), time.Second)
	if !errors.Is(err, ErrTraced) || !strings.Contains(err.Error(), strconv.Itoa(first)) {
		t.Errorf("got %v, want %v with the tracer's pid, %d", err, ErrTraced, first)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("first: %v", err)
	}
}

// A kernel thread may be traced by nobody; the first process by root alone.
func TestStrace_NotPermitted(t *testing.T) {
	needStrace(t)
	pid := 1
	if os.Geteuid() == 0 {
		if comm, _ := os.ReadFile("/proc/2/comm"); string(comm) != "kthreadd\n" {
			t.Skip("SKIPPED: root may trace every process that is to be seen here")
		}
		pid = 2
	}
	_, err := Strace{grace: patience}.Trace(t.Context(), pid, time.Second)
	if !errors.Is(err, ErrNotPermitted) {
		t.Errorf("got %v, want %v", err, ErrNotPermitted)
	}
	t.Log(err)
}

// What a strace does that is not as it should be. The target is real, and goes on.
func TestStrace_Trouble(t *testing.T) {
	impatient := map[string]time.Duration{"does not attach": 300 * time.Millisecond, "does not detach": 3 * time.Second, "detaches from nothing": 3 * time.Second}
	tests := map[string]struct{ script, want string }{
		"does not attach":       {"exec sleep 1000", "did not attach in time"},
		"does not detach":       {"trap '' INT\necho attached >&2\nexec sleep 1000", "did not detach in time and was killed"},
		"detaches from nothing": {"trap '' INT\necho attached >&2\necho '7470  ???( <detached ...>'\nexec sleep 1000", "did not detach in time and was killed"},
		"dies":                  {"echo attached >&2\nkill -SEGV $$", "signal: segmentation fault"},
		"knows not the option":  {"echo \"strace: invalid option -- 'f'\" >&2\nexit 1", `strace says "strace: invalid option -- 'f'"`},
		"prints something else": {"echo attached >&2\necho hello", `unexpected line "hello\n"`},
		"prints for ever":       {"echo attached >&2\nexec yes", `unexpected line "y\n"`},
		"is cut short":          {"echo attached >&2\necho '% time seconds usecs/call calls errors syscall'\nexit 0", "the table has no end"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChild(t, "idle")
			s := Strace{Path: script(t, tt.script), grace: cmp.Or(impatient[name], patience)}
			profile, err := s.Trace(t.Context(), c.pid(), 100*time.Millisecond)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v, want an error that says %q", profile, err, tt.want)
			}
		})
	}
}

// A recorder that is killed cannot stop its tracer; the kernel does. Were it not so the child would be slow for an hour.
func TestStrace_DoesNotOutliveUs(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	recorder := startChild(t, "tracer", strconv.Itoa(c.pid()))
	eventually(t, "tracer", func() bool { return tracer(t, c.pid()) != 0 })
	strace := tracer(t, c.pid())
	recorder.kill(t)
	eventually(t, "end of the tracer", func() bool { return !alive(strace) && tracer(t, c.pid()) == 0 })
	speed(t, c)
}
