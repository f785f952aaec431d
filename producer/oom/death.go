package oom

import "time"

// Death is the end of a process by signal 9.
type Death struct {
	PID    int
	Boot   int64  // when it was seen, CLOCK_BOOTTIME in nanoseconds
	Cgroup string // path of the process's cgroup below the cgroup mount; empty when not known
}

const (
	// slack is how much older a death may seem than its kill: clocks are read one after the other.
	slack = int64(time.Second)
	// maxDying is how long after its kill a victim may be seen to die: it may be stuck in the kernel.
	maxDying = int64(time.Minute)
	// maxDyingUnnamed is that time where nothing but time connects the two.
	maxDyingUnnamed = 5 * int64(time.Second)

	maxKills = 1024 // victims remembered that have not been seen to die
)

// mayExplain reports whether a death at boot can be of a kill between from and to, when a victim takes so long to die.
func mayExplain(from, to, boot, dying int64) bool { return from-slack <= boot && boot <= to+dying }
