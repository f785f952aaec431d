package lifecycle

import (
	"cmp"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// The sources that the events of an [Exact] or a [Kernel] name: where a start, or an end, was learnt.
const (
	SourceConnector = "connector" // the proc connector
	SourceTaskstats = "taskstats" // an exit record
	SourceBPF       = "bpf"       // programs in the kernel
	SourceScan      = "scan"      // a scan of /proc, after the event itself was lost
)

// reorderTime is how long after its time an event may arrive: the kernel may be interrupted before it sends it, and
// meanwhile another CPU may send younger ones.
const reorderTime = 20 * time.Millisecond

// maxPending is how many events may wait to be taken.
const maxPending = 1 << 17

// eventQueue holds the spawns, execs and exits that wait to be taken, and what was lost.
type eventQueue struct {
	*trackerState
	lossLog
	pending []pendingEvent
	limit   int           // of pending
	carry   time.Duration // of CPU, see wholeMillis
}

// pendingEvent is an event that waits to be taken.
type pendingEvent struct {
	kind    schema.Kind
	process *process
	exec    *execution // of an exec
}

// boot is the boot time at which it happened. That of an exit may change while more of the process is read.
func (o pendingEvent) boot() int64 {
	switch o.kind {
	case schema.KindExit:
		return max(o.process.boot, o.process.endedAt)
	case schema.KindExec:
		return max(o.process.boot, o.exec.at)
	}
	return o.process.boot
}

// queueSpawn queues the spawn of p.
func (q *eventQueue) queueSpawn(p *process) {
	p.spawnQueued = true
	if !p.kernel {
		p.spawnWaits = q.queue(pendingEvent{kind: schema.KindSpawn, process: p})
	}
}

// queueExec queues that p executes its image at a boot time, in place of the image before. When the command line of that
// could not be read, and its exec waits, this exec takes its place.
func (q *eventQueue) queueExec(p *process, before *image, at int64) {
	if p.spawnWaits && p.spawnImage == nil && before.command != "" {
		p.spawnImage = before
	}
	if waiting := p.waitingExec; waiting != nil && waiting.image == before && before.command == "" {
		waiting.image, waiting.at = p.image, at
		return
	}
	e := &execution{image: p.image, at: at}
	if q.queue(pendingEvent{kind: schema.KindExec, process: p, exec: e}) {
		p.waitingExec = e
	}
}

// queue adds an event to what is pending, unless that is full: then it is counted as lost. It reports whether there was
// room.
func (q *eventQueue) queue(e pendingEvent) bool {
	if len(q.pending) >= q.limit {
		q.noteLoss(schema.GapEventsDropped, q.boot, 1)
		return false
	}
	q.pending = append(q.pending, e)
	return true
}

// take returns the events up to the boot time until, the younger ones of which nothing more can become known, and the
// losses that were noticed up to then. It removes them.
func (q *eventQueue) take(until int64) ([]schema.KindedEvent, []schema.Gap) {
	slices.SortStableFunc(q.pending, func(a, b pendingEvent) int { return cmp.Compare(a.boot(), b.boot()) })
	var out []schema.KindedEvent
	taken := 0
	for _, o := range q.pending {
		if o.boot() > until && !(o.process.dropped && o.boot() <= q.boot-int64(reorderTime)) {
			break
		}
		if o.kind == schema.KindExit && o.process.recordsDue > 0 && until < math.MaxInt64 { // not for long, however late it was read
			break
		}
		taken++
		if e, ok := q.eventOf(o); ok {
			out = append(out, e)
		}
	}
	q.pending = slices.Delete(q.pending, 0, taken)
	return out, q.takeLosses(until)
}

// eventOf is the event to publish. Ok is false for an exec that did not change the command line.
func (q *eventQueue) eventOf(o pendingEvent) (event schema.KindedEvent, ok bool) {
	p := o.process
	command, wanting := p.bestCommand()
	switch {
	case o.kind == schema.KindSpawn && p.spawnImage != nil:
		command, wanting = p.spawnImage.command, ""
	case o.kind == schema.KindExec:
		if p.waitingExec == o.exec {
			p.waitingExec = nil
		}
		if p.exitTaken { // the exec is another process's, which has the pid now and whose fork was lost
			return schema.KindedEvent{}, false
		}
		if command, ok = o.execCommand(); !ok {
			return schema.KindedEvent{}, false
		}
		wanting = ""
	}
	e := schema.Event{
		Wall: q.wall(o.boot()), Boot: o.boot(), PID: p.pid, PPID: p.parent, StartTicks: p.start, UID: p.uid,
		Command: command, Source: p.source, Details: wanting,
	}
	switch o.kind {
	case schema.KindExit:
		p.exitTaken = true
		q.addEnd(&e, p)
	case schema.KindExec:
		e.Source = q.sources.event
		p.lastCommand = cmp.Or(command, p.lastCommand)
	default:
		p.lastCommand, p.spawnWaits = command, false
		if p.source == SourceScan {
			e.Details = join("its own event was lost; seen in a scan of /proc", wanting)
		}
	}
	return schema.KindedEvent{Kind: o.kind, Event: e}, true
}

// execCommand is the command line of an exec, the short name when that is all that is known, empty when nothing is. Ok is
// false when it is the command line that was published of the process before.
func (o *pendingEvent) execCommand() (command string, ok bool) {
	command = o.exec.image.command
	if command == "" && o.exec.image == o.process.image {
		command = cmp.Or(o.process.command, o.process.comm)
	}
	return command, command == "" || command != o.process.lastCommand
}

// addEnd adds to the exit of p what is known of its end.
func (q *eventQueue) addEnd(e *schema.Event, p *process) {
	switch {
	case p.life > 0:
		e.Lifetime = schema.Some(p.life.Milliseconds())
	case p.startKnown:
		e.Lifetime = schema.Some((e.Boot - p.boot) / int64(time.Millisecond))
	}
	if p.endedUnseen {
		e.Source = SourceScan
		e.Within = schema.Some(upToMillis(time.Duration(e.Boot - max(p.boot, p.scannedAt))))
		if p.lastScan > 0 {
			e.CPUMillis = schema.Some(int64(p.cpu))
		}
		e.Details = join("its own event was lost; exit code unknown", e.Details)
		return
	}
	e.Source = q.sources.event
	setStatus(e, unix.WaitStatus(p.status))
	if p.last {
		e.Source = q.sources.record
	}
	if p.recorded {
		e.Details = join(q.addTally(e, p), e.Details)
	}
}

// addTally adds the sums over the records of p's threads. It returns what is missing in them: threads may have ended
// before p was known, or unseen.
func (q *eventQueue) addTally(e *schema.Event, p *process) (wanting string) {
	cpu := q.wholeMillis(p.busy)
	if p.peak > 0 {
		e.PeakRSS = schema.Some(int64(p.peak))
	}
	if p.atLeast {
		e.CPUMillis, e.System = schema.Some(cpu), schema.Opt[int64]{}
		return "CPU is a lower bound and I/O unknown: the kernel told too late what it used"
	}
	whole := p.recordsDue == 0 && p.recordsMissed == 0 && (p.last && !p.threaded || p.epoch == q.epoch)
	if whole {
		e.CPUMillis = schema.Some(cpu)
		e.System = schema.Some(min(cpu, p.system.Round(time.Millisecond).Milliseconds()))
		e.ReadKiB, e.WriteKiB = schema.Some(int64(p.read/1024)), schema.Some(int64(p.writeBytes/1024))
		return ""
	}
	e.CPUMillis = schema.Some(max(cpu, int64(p.cpu)))
	return "CPU is a lower bound and I/O unknown: threads of it ended unseen"
}

// wholeMillis is a time in whole milliseconds. What is left over is carried to the next: many short lives add up to what they used.
func (q *eventQueue) wholeMillis(d time.Duration) int64 {
	d += q.carry
	whole := d.Round(time.Millisecond)
	q.carry = d - whole
	return max(0, whole.Milliseconds())
}

// queueExit queues the exit of p. Records that come until p is dropped are added to it.
func (q *eventQueue) queueExit(p *process) {
	p.exitQueued = true
	if !p.kernel {
		q.queue(pendingEvent{kind: schema.KindExit, process: p})
	}
}
