package gpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The ways in which an nvidia-smi ends that call for a special wait.
var (
	errAbsent   = errors.New("not installed")
	errNoDriver = errors.New("the driver is not loaded")
	errHung     = errors.New("hung and was killed")
	errSilent   = errors.New("has no more to say")
)

// exitNoDriver is NVML_ERROR_DRIVER_NOT_LOADED: nvidia-smi exits with the codes of its library, man nvidia-smi(1),
// RETURN VALUE.
const exitNoDriver = 9

// keepRunning runs the program of a stream until ctx ends, again and again if need be.
func (r *Reader) keepRunning(ctx context.Context, s *stream) {
	// The kernel sends the signal asked for by run, PR_SET_PDEATHSIG(2const), when the thread that started the child ends,
	// not the process. Held by this goroutine the thread lives as long as the child is wanted.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	failures, logged := 0, ""
	for {
		began := time.Now()
		err := r.run(ctx, s)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= r.cfg.timing.retryMax {
			failures, logged = 0, ""
		}
		r.streamEnded(s, err)
		if err.Error() != logged {
			logged = err.Error()
			r.cfg.Log.Log(ctx, level(err), "nvidia-smi ended", "asked", s.query, "reason", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.cfg.timing.wait(err, failures)):
		}
		failures++
	}
}

// level is that of a log line: most machines have no NVIDIA GPU, and a process that leaves one is no news.
func level(err error) slog.Level {
	if errors.Is(err, errAbsent) || errors.Is(err, errSilent) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// wait is how long to wait after a program ended with err, and before that failed so many times in a row.
func (t timing) wait(err error, failures int) time.Duration {
	switch {
	case errors.Is(err, errAbsent), errors.Is(err, errNoDriver):
		return t.retryAbsent
	case errors.Is(err, errHung):
		return t.retryHung
	case errors.Is(err, errSilent):
		return t.retry
	}
	return min(t.retry<<min(failures, 16), t.retryMax)
}

// run runs the program of a stream until it ends, hangs or ctx ends, and says why it ended.
func (r *Reader) run(ctx context.Context, s *stream) error {
	path, err := exec.LookPath(r.cfg.NvidiaSMI)
	if err != nil {
		return fmt.Errorf("%w: %w", errAbsent, err)
	}
	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	watch := time.AfterFunc(r.cfg.timing.hang, func() {
		r.markUnanswered(s, s.silenceErr) // first: nothing kills a program that the driver holds in the kernel
		kill(s.silenceErr)
	})
	defer watch.Stop()
	if s.silenceErr == errSilent { // no lines from the start are normal; after lines, a new start shows what silence means
		watch.Stop()
	}

	seconds := strconv.Itoa(int(r.cfg.Interval / time.Second))
	cmd := exec.CommandContext(ctx, path, s.query, "--format=csv,noheader,nounits", "-l", seconds)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second // for a descendant that left the group and keeps the pipe open
	cmd.Stdout = &lines{take: func(line string) {
		if r.applyLine(s, line) {
			watch.Reset(r.cfg.timing.hang)
		}
	}}
	said := &head{max: 400}
	cmd.Stderr = said

	err = cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return exitError(err, string(said.data), s.badLine)
}

// exitError says why a program ended that was not told to: err is what it ended with, and the rest is what it said on
// standard error, or else on standard output.
func exitError(err error, said, odd string) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		err = errors.New("ended")
	case errors.As(err, &exit) && exit.ExitCode() == exitNoDriver:
		err = errNoDriver
	}
	if said = cmp.Or(strings.TrimSpace(said), strings.TrimSpace(odd)); said != "" {
		err = fmt.Errorf("%w: %.200q", err, said)
	}
	return err
}

// applyLine puts a line into the stream's table and reports whether it is a sign of life.
func (r *Reader) applyLine(s *stream, line string) (alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Lines++
	alive, odd, err := s.table.addLine(line, time.Now())
	if err != nil {
		r.stats.Malformed++
		s.badLine = cmp.Or(s.badLine, line)
		return alive
	}
	s.reason = ""
	if odd != nil {
		r.stats.Odd++
		r.tellOdd(odd)
	}
	return alive
}

// maxTold is how many odd values are told, each once, in the life of a reader.
const maxTold = 100

// tellOdd says once what was printed in place of a value. Its caller holds the lock.
func (r *Reader) tellOdd(odd error) {
	if r.told[odd.Error()] || len(r.told) >= maxTold {
		return
	}
	r.told[odd.Error()] = true
	r.cfg.Log.Warn("a value of nvidia-smi is no number that can be, so it is unknown", "got", odd)
}

// streamEnded takes note that the program of a stream has ended.
func (r *Reader) streamEnded(s *stream, err error) {
	r.markUnanswered(s, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	s.badLine = ""
	switch {
	case errors.Is(err, errSilent):
	case errors.Is(err, errHung):
		r.stats.Hangs++
	default:
		r.stats.Ends++
	}
}

// markUnanswered takes note that no more answers come from the program of a stream.
func (r *Reader) markUnanswered(s *stream, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.table.ended()
	if !errors.Is(why, errSilent) {
		s.reason = why.Error()
	}
}
