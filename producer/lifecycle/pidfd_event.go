package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// startOf is the boot time of a process's start, in nanoseconds, of its start in clock ticks.
func startOf(ticks uint64) int64 { return int64(ticks) * int64(time.Second/schema.TicksPerSecond) }

// queueSpawn tells of w's start, which is known to a hundredth of a second.
func (p *Pidfd) queueSpawn(w *watched, now twoClocks) {
	if w.kernel {
		return
	}
	at := now.movedTo(startOf(w.StartTicks))
	for _, before := range p.ended[w.pid] { // who had the pid until then
		before.moveBack(at.boot)
	}
	told := &pidfdEvent{KindedEvent: schema.KindedEvent{Kind: schema.KindSpawn, Event: w.event(at)}}
	if now.boot-at.boot < int64(EventDelay) {
		told.describeAgain = w
	}
	p.pending = append(p.pending, told)
}

// queueExit tells of w's end, which was noticed no later than at.
func (p *Pidfd) queueExit(w *watched, status unix.WaitStatus, known bool, at twoClocks) {
	if w.kernel {
		return
	}
	reaped := at
	if w.ended != (twoClocks{}) {
		at = w.ended
	}
	e := w.event(at)
	e.Lifetime = schema.Some(max(0, at.boot-startOf(w.StartTicks)) / int64(time.Millisecond))
	if known {
		setStatus(&e, status)
	}
	if w.usedAt > 0 {
		setUsage(&e, w.used)
	}
	e.Details = w.details(known, at, reaped)
	told := &pidfdEvent{KindedEvent: schema.KindedEvent{Kind: schema.KindExit, Event: e}}
	p.pending = append(p.pending, told)
	p.ended[w.pid] = append(p.ended[w.pid], told)
}

// event is what is known of w, at a moment.
func (w *watched) event(at twoClocks) schema.Event {
	return schema.Event{
		Wall: at.wall, Boot: at.boot, PID: w.pid, PPID: schema.Some(int64(w.PPID)), StartTicks: w.StartTicks,
		UID: w.UID, Command: w.Command, Source: SourcePidfd,
	}
}

// setStatus takes over how a process ended.
func setStatus(e *schema.Event, status unix.WaitStatus) {
	if status.Signaled() {
		e.Signal = schema.Some(int64(status.Signal()))
		e.Core = dumpsCore(e.Signal)
		return
	}
	e.ExitCode = schema.Some(int64(status.ExitStatus()))
}

// setUsage takes over what a look knew of a process that has ended since.
func setUsage(e *schema.Event, u sampled) {
	e.CPUMillis = schema.Some(int64(u.cpuMillis))
	e.ReadKiB, e.WriteKiB = u.readKiB, u.writeKiB
}

// details say what the event of w's end does not know exactly, and why.
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
