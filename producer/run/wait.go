package run

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Wait waits for the command to end and meanwhile passes signals on to it. It does not wait for processes that the
// command left behind; of those it only reaps what has ended already. An error says that the result is not known, because
// other code in this process waited for the command.
//
// Signals have no effect on this process after Wait either: one that is sent to the whole process group ends the command,
// and must not end this program before the result is printed. A caller that has much to do then can have them back by signal.Reset.
func (c *Command) Wait() (Result, error) {
	for ended := false; !ended; {
		select {
		case s := <-c.signals.command:
			c.pass(s.(unix.Signal))
		case <-c.signals.child:
			var err error
			if ended, err = c.waitForChildren(); err != nil {
				if c.leaf != nil {
					c.leaf.remove(0)
				}
				c.legacy.remove()
				return Result{}, fmt.Errorf("wait for process %d: %w", c.PID, err)
			}
		}
	}
	c.addCgroupUsage()
	return c.result, nil
}

// waitForChildren takes leave of every child that has ended and reports whether the command is one of them.
func (c *Command) waitForChildren() (ended bool, err error) {
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

// rssSlackKiB is by how much two readings of the same resident memory may differ: the kernel counts it per processor and
// adds up roughly.
const rssSlackKiB = 1024

// addCgroupUsage completes the result once the command has ended.
func (c *Command) addCgroupUsage() {
	r := &c.result
	if c.floorKiB.Known && c.maxRSSKiB > c.floorKiB.V+rssSlackKiB {
		r.MaxRSSKiB = schema.Some(c.maxRSSKiB)
	}
	r.LeftBehind = c.leftBehind()
	var used groupUsage
	if c.leaf != nil {
		used = c.leaf.usage()
	}
	c.legacy.add(&used)
	r.CgroupCPU, r.PeakMemoryKiB, r.CgroupIO, r.PIDsPeak = used.cpu, used.peakKiB, used.io, used.pidsPeak
	c.legacy.remove()
	if c.leaf == nil {
		return
	}
	var patience time.Duration
	if r.LeftBehind == schema.Some(0) {
		patience = 100 * time.Millisecond
	}
	r.CgroupKept = !c.leaf.remove(patience)
}

// leftBehind counts the descendants of this process that run.
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
