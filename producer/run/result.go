package run

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// Result is how a command ended, and what it and its descendants used until then.
type Result struct {
	// ExitCode is the command's own, or 128+n when signal n ended it, as a shell has it.
	ExitCode int
	// Signal is what ended the command, 0 when it exited, and Core says that it left a core dump.
	Signal unix.Signal
	Core   bool

	// Wall is from the start to the moment the end was noticed, on the monotonic clock.
	Wall time.Duration

	// WaitedCPU is the processor time of the command and of the orphans that came to us, as wait4(2) returned it. It
	// holds that of every descendant whose parent waited for it, exactly. What is missing: processes left behind, and
	// those whose parents ignore SIGCHLD.
	WaitedCPU CPU
	// CgroupCPU is the processor time of the control group, known when there was one (cpu.stat, man cgroups(7)). It
	// holds that of every process, left behind or not, until it moved to another group.
	CgroupCPU schema.Opt[CPU]

	// MaxRSSKiB is the largest resident memory that one process had at any time. A process starts with its parent's
	// memory, and the kernel counts that as its own (Linux fs/exec.c, exec_mmap): the figure of a command that never
	// had as much memory as this program is this program's, and then it is unknown.
	MaxRSSKiB schema.Opt[uint64]
	// PeakMemoryKiB is the most memory that the control group had at any time, page cache included (memory.peak, or
	// memory.max_usage_in_bytes of version 1). It is known when the memory controller is on in the group, of version 2 since Linux 5.19.
	PeakMemoryKiB schema.Opt[uint64]
	// CgroupIO is what the control group read from storage and wrote to it (io.stat, or the controller blkio of version 1).
	CgroupIO schema.Opt[IO]
	// PIDsPeak is the most tasks that the control group had at any time, threads included (pids.peak, since Linux 6.1).
	PIDsPeak schema.Opt[uint64]

	// Waited is the number of processes that we waited for ourselves: the command and orphans.
	Waited int
	// LeftBehind is the number of descendants that ran when the command had ended. It is unknown when /proc could
	// not be read.
	LeftBehind schema.Opt[int]
	// CgroupKept says that the control group could not be removed: it holds processes.
	CgroupKept bool
	// Undelivered counts the signals that could not be passed on, because the command became another user's.
	Undelivered int
}

// IO is what was read from and written to storage.
type IO struct{ ReadKiB, WriteKiB uint64 }

// CPU is processor time spent in programs and, on their behalf, in the kernel. Whole is that of which nobody tells in which of the two it was spent.
type CPU struct{ User, System, Whole time.Duration }

// Total is all of it.
func (c CPU) Total() time.Duration { return c.User + c.System + c.Whole }

// CPU is the processor time of the command and its descendants: the larger of the two figures, for each of them can miss
// something and neither can count what is not the command's.
func (r Result) CPU() CPU {
	if r.CgroupCPU.V.Total() > r.WaitedCPU.Total() {
		return r.CgroupCPU.V
	}
	return r.WaitedCPU
}

// Totals are the figures of the result that a run's end tells of, each from the best source that there is. largest is the resident
// memory of the largest process as the exits of processes tell, and processes is how many there were; either may be unknown.
func (r Result) Totals(largest schema.Opt[int64], processes schema.Opt[uint64]) *schema.Totals {
	t := &schema.Totals{CPUMicros: schema.Some(r.CPU().Total().Microseconds()), CPUSource: schema.FromWait}
	if r.CgroupCPU.V.Total() > r.WaitedCPU.Total() {
		t.CPUSource = schema.FromGroup
	}
	if cpu := r.CPU(); cpu.Whole == 0 {
		t.System = schema.Some(cpu.System.Microseconds())
	}
	if r.MaxRSSKiB.Known {
		t.PeakRSS, t.PeakSource = schema.Some(int64(r.MaxRSSKiB.V)), schema.FromWait
	}
	if largest.Known && largest.V > t.PeakRSS.V {
		t.PeakRSS, t.PeakSource = largest, schema.FromExits
	}
	if r.PeakMemoryKiB.Known {
		t.GroupPeak = schema.Some(int64(r.PeakMemoryKiB.V))
	}
	if r.CgroupIO.Known {
		t.ReadKiB, t.WriteKiB, t.IOSource = schema.Some(int64(r.CgroupIO.V.ReadKiB)), schema.Some(int64(r.CgroupIO.V.WriteKiB)), schema.FromGroup
	}
	if r.PIDsPeak.Known {
		t.PIDsPeak = schema.Some(int64(r.PIDsPeak.V))
	}
	if processes.Known {
		t.Processes = schema.Some(int64(processes.V))
	}
	return t
}

// setEnd says how and when the command ended.
func (r *Result) setEnd(ws unix.WaitStatus, wall time.Duration) {
	r.Wall = wall
	r.ExitCode = ws.ExitStatus()
	if ws.Signaled() {
		r.Signal, r.Core = ws.Signal(), ws.CoreDump()
		r.ExitCode = 128 + int(r.Signal)
	}
}
