package procfs

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ReadClocks reads the two clocks of a message, one right after the other: Unix nanoseconds, and nanoseconds of
// CLOCK_BOOTTIME.
func ReadClocks() (wall, boot int64) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("clock_gettime(CLOCK_BOOTTIME): %v", err)) // every kernel since 2.6.39 has it
	}
	return time.Now().UnixNano(), ts.Nano()
}

// A clock tells the time since boot, suspend included (CLOCK_BOOTTIME), in which the kernel states when a process
// started. Go's own clock, which costs no system call, carries it on from when it was set.
type clock struct {
	boot time.Duration
	at   time.Time // with a monotonic reading
}

// newClock returns a clock that is set. It is good until the machine is suspended, so each scan sets its own.
func newClock() clock {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return clock{at: time.Now()} // before Linux 2.6.39
	}
	return clock{boot: time.Duration(ts.Nano()), at: time.Now()}
}

// now returns the time since boot.
func (c clock) now() time.Duration { return c.boot + time.Since(c.at) }
