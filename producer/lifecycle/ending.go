package lifecycle

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// startOf is the boot time of a process's start, in nanoseconds, of its start in clock ticks.
func startOf(ticks uint64) int64 { return int64(ticks) * int64(time.Second/schema.TicksPerSecond) }

// setStatus takes over how a process ended.
func setStatus(e *schema.Event, status unix.WaitStatus) {
	if status.Signaled() {
		e.Signal = schema.Some(int64(status.Signal()))
		e.Core = dumpsCore(e.Signal)
		return
	}
	e.ExitCode = schema.Some(int64(status.ExitStatus()))
}

// dumpsCore reports whether a signal is one that dumps core by default, man signal(7). Only the default action of a
// signal ends a process, so this is what the kernel means to do, also where a limit of 0, or having no place to put it,
// keeps the core from being written; the flag in the wait status says only that one was.
func dumpsCore(signal schema.Opt[int64]) bool {
	switch unix.Signal(signal.Or(0)) {
	case unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGXCPU,
		unix.SIGXFSZ, unix.SIGSYS:
		return true
	}
	return false
}

// ticksAt is the boot time at, in nanoseconds, in the unit of a process's start.
func ticksAt(at int64) uint64 { return uint64(at / int64(time.Second/schema.TicksPerSecond)) }

// join puts two remarks together, either of which may be empty.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
