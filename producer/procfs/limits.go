package procfs

import "fmt"

// The largest numbers that a machine can have. Whatever is above them is a counter that wrapped, or no number of the kernel's.
const (
	maxPID   = 1<<22 - 1                // PID_MAX_LIMIT of Linux include/linux/threads.h, less one
	maxTicks = (1<<63 - 1) / 10_000_000 // a start in nanoseconds fits 63 bits
	maxKiB   = 1 << 46                  // of memory: what 56 bits of address reach
	maxCount = 1 << 50                  // of what grows
	maxBytes = maxCount << 10
	// maxCPUTicks is in ticks of 10 ms; twice as much is still a count of milliseconds.
	maxCPUTicks = maxCount / 20
	maxLoad     = 1 << 22 // as many tasks as there can be
	maxFDs      = 1 << 31 // descriptors, as schema/metric has it
	manyFDs     = 256     // descriptors from which on the limit of a process is read: ManyFDs of schema/metric
)

// within checks that a number is at most what a machine can have.
func within(name string, n, most uint64) error {
	if n > most {
		return fmt.Errorf("field %s is %d, more than a machine can have", name, n)
	}
	return nil
}
