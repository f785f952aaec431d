package run

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
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
	// PeakMemoryKiB is the most memory that the control group had at any time, page cache included (memory.peak). It
	// is known when the memory controller is on in the group, since Linux 5.19.
	PeakMemoryKiB schema.Opt[uint64]

	// Waited is the number of processes that we waited for ourselves: the command and orphans.
	Waited int
	// LeftBehind is the number of descendants that still ran when the command had ended. It is unknown when /proc could
	// not be read.
	LeftBehind schema.Opt[int]
	// CgroupKept says that the control group could not be removed: processes are still in it.
	CgroupKept bool
	// Undelivered counts the signals that could not be passed on, because the command became another user's.
	Undelivered int
}

// CPU is processor time spent in programs and, on their behalf, in the kernel.
type CPU struct{ User, System time.Duration }

// Total is all of it.
func (c CPU) Total() time.Duration { return c.User + c.System }

// CPU is the processor time of the command and its descendants: the larger of the two figures, for each of them can miss
// something and neither can count what is not the command's.
func (r Result) CPU() CPU {
	if r.CgroupCPU.V.Total() > r.WaitedCPU.Total() {
		return r.CgroupCPU.V
	}
	return r.WaitedCPU
}

// Wait waits for the command to end and meanwhile passes signals on to it. It does not wait for processes that the
// command left behind; of those it only reaps what has ended already. An error says that the result is not known, because
// other code in this process waited for the command.
//
// Signals have no effect on this process after Wait either: one that is sent to the whole process group ends the command,
// and must not end us before the result is told. A caller that has much to do then can have them back by signal.Reset.
func (c *Command) Wait() (Result, error) {
	for ended := false; !ended; {
		select {
		case s := <-c.signals.command:
			c.pass(s.(unix.Signal))
		case <-c.signals.child:
			var err error
			if ended, err = c.reap(); err != nil {
				if c.leaf != nil {
					c.leaf.remove(0)
				}
				return Result{}, fmt.Errorf("wait for process %d: %w", c.PID, err)
			}
		}
	}
	c.account()
	return c.result, nil
}

// reap takes leave of every child that has ended and reports whether the command is one of them.
func (c *Command) reap() (ended bool, err error) {
	for {
		var ws unix.WaitStatus
		var ru unix.Rusage
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG|unix.WUNTRACED, &ru)
		switch {
		case err == unix.EINTR:
		case err == unix.ECHILD && ended:
			c.childless = true
			return true, nil
		case err != nil:
			return false, err
		case pid == 0: // those that there are have not ended
			return ended, nil
		case ws.Stopped():
			if pid == c.PID {
				c.stop()
			}
		case c.strangers[pid]:
			delete(c.strangers, pid)
		default:
			c.addUsage(&ru)
			if pid == c.PID {
				ended = true
				c.result.setEnd(ws, time.Since(c.Started))
			}
		}
	}
}

// addUsage adds a process that was waited for.
func (c *Command) addUsage(ru *unix.Rusage) {
	c.maxRSSKiB = max(c.maxRSSKiB, uint64(ru.Maxrss))
	r := &c.result
	r.Waited++
	r.WaitedCPU.User += time.Duration(ru.Utime.Nano())
	r.WaitedCPU.System += time.Duration(ru.Stime.Nano())
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

// rssSlackKiB is by how much two readings of the same resident memory may differ: the kernel counts it per processor and
// adds up roughly.
const rssSlackKiB = 1024

// account completes the result once the command has ended.
func (c *Command) account() {
	r := &c.result
	if c.floorKiB.Known && c.maxRSSKiB > c.floorKiB.V+rssSlackKiB {
		r.MaxRSSKiB = schema.Some(c.maxRSSKiB)
	}
	r.LeftBehind = c.leftBehind()
	if c.leaf == nil {
		return
	}
	r.CgroupCPU, r.PeakMemoryKiB = c.leaf.cpu(), c.leaf.peakKiB()
	var patience time.Duration
	if r.LeftBehind == schema.Some(0) {
		patience = 100 * time.Millisecond
	}
	r.CgroupKept = !c.leaf.remove(patience)
}

// leftBehind counts our descendants that still run.
func (c *Command) leftBehind() schema.Opt[int] {
	if c.childless {
		return schema.Some(0)
	}
	fs := procfs.New("")
	defer fs.Close()
	scan, err := fs.Processes(nil, procfs.Options{})
	if err != nil {
		return schema.Opt[int]{}
	}
	return schema.Some(countDescendants(scan.Processes, os.Getpid(), c.strangers))
}
