package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// noPidfd is the descriptor of a process that only listings watch.
const noPidfd = -1

// watched is a process that lived when it was last seen.
type watched struct {
	Description
	pid    int
	fd     int    // its pidfd, or noPidfd
	kernel bool   // a kernel thread: it has no events
	inode  uint64 // of its directory when it was last listed: another inode may mean another process
	listed uint64 // number of the listing that last showed it

	used   usage     // as of the last scan, when usedAt is set
	usedAt int64     // boot time of that scan
	ended  twoClocks // when its end was noticed, while nobody has waited for it
}

// usage is what a process had used by then, since it started.
type usage struct {
	cpuMillis         uint64
	readKiB, writeKiB schema.Opt[int64]
}

func usageOf(s *schema.Process) usage { return usage{s.CPUMillis, s.ReadKiB, s.WriteKiB} }

// applyScan takes over what a scan at the boot time at says of the process.
func (w *watched) applyScan(s *schema.Process, at int64) {
	w.PPID, w.UID, w.Command = s.PPID, s.UID, s.Command
	w.used, w.usedAt = usageOf(s), at
}

// hasBeenWaitedFor reports whether w has a pidfd that says that its parent has waited for it: only then may its pid be
// another process's.
func (w *watched) hasBeenWaitedFor() bool {
	if w.fd == noPidfd {
		return false
	}
	ask := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(ask, 0)
	return err == nil && n == 1 && ask[0].Revents&unix.POLLHUP != 0
}

// status is how w ended, once it has been waited for, as wait(2) gives it.
func (w *watched) status() (status unix.WaitStatus, known bool) {
	if w.fd == noPidfd {
		return 0, false
	}
	return exitInfo(w.fd)
}

// event is what is known of w, at a moment.
func (w *watched) event(at twoClocks) schema.Event {
	return schema.Event{
		Wall: at.wall, Boot: at.boot, PID: w.pid, PPID: schema.Some(int64(w.PPID)), StartTicks: w.StartTicks,
		UID: w.UID, Command: w.Command, Source: SourcePidfd,
	}
}

// details say what the event of w's end leaves unknown or inexact, and why.
func (w *watched) details(known bool, ended, reaped twoClocks) string {
	const short = int64(time.Second)
	var parts []string
	switch {
	case known:
	case w.fd == noPidfd:
		parts = append(parts, "exit code unknown: it had no pidfd, so that only its absence from /proc was seen")
	default:
		parts = append(parts, "exit code unknown: the kernel does not tell")
	}
	if late := reaped.boot - ended.boot; late > short {
		parts = append(parts, fmt.Sprintf("its parent waited for it %s later", rounded(late)))
	}
	if age := ended.boot - w.usedAt; w.usedAt > 0 && age > short {
		parts = append(parts, fmt.Sprintf("CPU and I/O as of %s before", rounded(age)))
	}
	return strings.Join(parts, "; ")
}

func rounded(ns int64) time.Duration { return time.Duration(ns).Round(100 * time.Millisecond) }

// setUsage takes over what a scan said of a process that has ended since.
func setUsage(e *schema.Event, u usage) {
	e.CPUMillis = schema.Some(int64(u.cpuMillis))
	e.ReadKiB, e.WriteKiB = u.readKiB, u.writeKiB
}

// SourcePidfd is the source that the events of a [Pidfd] name.
const SourcePidfd = "pidfd"
