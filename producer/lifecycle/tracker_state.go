package lifecycle

// clocks relate the kernel's clocks at one moment, in nanoseconds.
type clocks struct {
	boot       int64 // CLOCK_BOOTTIME
	sinceStart int64 // what CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the time suspended
	epochStart int64 // what CLOCK_REALTIME is ahead of CLOCK_BOOTTIME
}

// wall is the wall time of the boot time boot.
func (c clocks) wall(boot int64) int64 { return boot + c.epochStart }

// trackerState is what all parts of a tracker know.
type trackerState struct {
	clocks     // of the last poll
	epoch  int // counts the losses of events
	sources
}

// sources are the names of where a start or an exec, and an end with its totals, are learnt.
type sources struct{ event, record string }

// kthreadd is the pid of the parent of all kernel threads.
const kthreadd = 2
