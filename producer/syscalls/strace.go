package syscalls

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Strace is the tracer of that name, which uses ptrace(2). It needs to be root, or to have the user of the process and a
// Yama ptrace_scope of 0.
type Strace struct {
	Path string // the program, by path or by name in PATH; default strace

	grace time.Duration // for tests: how long it may take to attach, and to detach; default 5 s
}

const (
	maxOutput   = 256 << 10 // bytes of strace's summary; one of every system call there is takes 40 KiB
	maxMessages = 1024      // bytes of what it says otherwise
)

// Name implements Tracer.
func (Strace) Name() string { return "strace" }

// Trace implements Tracer. Besides ctx's, its errors are those of this package, or say what strace printed.
func (s Strace) Trace(ctx context.Context, pid int, d time.Duration) (Profile, error) {
	if _, err := readTraceable(pid); err != nil {
		return Profile{}, err
	}
	path, err := exec.LookPath(cmp.Or(s.Path, "strace"))
	if err != nil {
		return Profile{}, fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	out := s.attach(ctx, path, pid, d)
	if ctx.Err() != nil {
		return Profile{}, fmt.Errorf("trace pid %d: %w", pid, context.Cause(ctx))
	}
	if err := out.failure(pid); err != nil {
		return Profile{}, fmt.Errorf("trace pid %d: %w", pid, err)
	}
	calls, err := parseSummary(string(out.summary))
	if err != nil {
		return Profile{}, fmt.Errorf("trace pid %d: strace's summary: %w", pid, err)
	}
	return Profile{Calls: calls, Duration: out.attached}, nil
}

// outcome is how a run of strace ended.
type outcome struct {
	summary  []byte
	output   string        // on standard error
	attached time.Duration // how long; 0 if it never was
	err      error         // of exec.Cmd.Wait
}

// attach runs strace on a process for so long, and waits until it has detached and ended.
func (s Strace) attach(ctx context.Context, path string, pid int, d time.Duration) outcome {
	grace := cmp.Or(s.grace, 5*time.Second)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	limit := time.AfterFunc(grace, stop)
	defer limit.Stop()

	// The first thing that strace says is that it is attached, or why it is not: it then ends by itself.
	var since time.Time
	summary, output := &head{max: maxOutput}, &head{max: maxMessages}
	output.first = func() {
		since = time.Now()
		limit.Reset(d)
	}
	// Plain -c, without -U to choose columns, is what every strace has, and its seconds are what tables can be added up by.
	cmd := exec.CommandContext(ctx, path, "-f", "-c", "-o", "/proc/self/fd/1", "-p", strconv.Itoa(pid))
	cmd.Env = append(os.Environ(), "LC_ALL=C") // points in numbers, English words
	cmd.Stdout, cmd.Stderr = summary, output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // detaches and prints
	cmd.WaitDelay = grace                                                 // then it is killed, which detaches too
	// A tracer that nobody waits for would slow its target for ever. The kernel sends the signal when the thread that
	// started the child ends, PR_SET_PDEATHSIG(2const), so this one is held. A group of its own keeps Ctrl-C away.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	o := outcome{err: cmd.Run(), summary: summary.data, output: strings.TrimSpace(string(output.data))}
	if !since.IsZero() {
		o.attached = time.Since(since)
	}
	return o
}

// failure says why there is no summary to be had, nil if there is. That of a process that made no system call is empty.
func (o *outcome) failure(pid int) error {
	var exit *exec.ExitError
	if o.err != nil && !errors.Is(o.err, context.Canceled) && !errors.As(o.err, &exit) {
		return o.err
	}
	status := exitStatus(exit)
	switch {
	case hasTable(string(o.summary)):
		return nil
	case status.Signal() == unix.SIGKILL:
		return errors.New("strace did not detach in time and was killed")
	case o.attached == 0:
		return errors.New("strace did not attach in time")
	case status.ExitStatus() == 1:
		return refusal(pid, o.output)
	case status.ExitStatus() == 0, status.Signal() == unix.SIGINT: // its target ended, or it was told to stop
		return nil
	}
	return fmt.Errorf("strace: %w: %.300q", o.err, o.output)
}

// exitStatus is how a program ended: well, if there is no error about it.
func exitStatus(exit *exec.ExitError) syscall.WaitStatus {
	if exit == nil {
		return 0
	}
	return exit.Sys().(syscall.WaitStatus)
}

// refusal explains why strace could not attach, ptrace(2), "Ptrace access mode checking".
func refusal(pid int, output string) error {
	if _, err := readTraceable(pid); err != nil { // it ended meanwhile, or got another tracer
		return err
	}
	if !strings.Contains(output, "Operation not permitted") {
		return fmt.Errorf("strace says %.300q", output)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && string(scope) != "0\n" {
		return fmt.Errorf("%w: kernel.yama.ptrace_scope is %.1s", ErrNotPermitted, scope)
	}
	return fmt.Errorf("%w: it is another user's, or the kernel's", ErrNotPermitted)
}

// head is a writer that keeps the first bytes of what is written to it.
type head struct {
	max   int
	data  []byte
	first func() // called before the first byte, if it is not nil
}

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	if h.first != nil {
		h.first()
		h.first = nil
	}
	h.data = append(h.data, p[:min(len(p), h.max-len(h.data))]...)
	return len(p), nil
}
