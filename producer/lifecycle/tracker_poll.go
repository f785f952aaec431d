package lifecycle

import (
	"slices"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// poll takes in a batch. It reports whether events were lost.
func (t *tracker) poll(b batch) (lossy bool) {
	since := t.boot
	t.clocks = b.clocks
	for _, r := range b.records {
		t.applyRecord(r)
	}
	if b.recordsLost {
		t.noteLoss(schema.GapExitRecordsLost, since, 0)
	}
	lost := b.lost()
	lossy = b.overrun || lost > 0
	if lossy {
		t.noteLostEvents(since, lost)
	}
	for i := range b.events {
		t.applyEvent(&b.events[i], b.command(i))
	}
	if lossy {
		t.epoch++ // a process that began among these events may miss some of them as well
	}
	t.describeQueued()
	t.waiting = slices.DeleteFunc(t.waiting, t.concludeLate)
	t.expire()
	return lossy
}

// lost is how many events are known to be missing.
func (b *batch) lost() (n int64) {
	n = b.lostEvents
	for i := range b.events {
		n += int64(b.events[i].Lost)
	}
	return n
}

// noteLostEvents notes that events were lost, n of them as far as is known, after the boot time since. No count of threads is
// valid any more.
func (t *tracker) noteLostEvents(since, n int64) {
	t.epoch++
	t.mayHaveUnknown = true
	t.noteLoss(schema.GapEventsLost, since, n)
}

func (t *tracker) applyEvent(e *netlink.Event, command string) {
	at := e.Time + t.sinceStart
	switch {
	case e.Kind == netlink.Fork && e.PID == e.TGID:
		t.addFork(e, at)
	case e.Kind == netlink.Fork:
		if p := t.live[e.TGID]; p != nil {
			p.threads++
		}
	case e.Kind == netlink.Exec:
		t.executed(e, at, command)
	case e.Kind == netlink.Exit:
		t.threadEnded(e, at)
	}
}

func (t *tracker) addFork(e *netlink.Event, at int64) {
	if old := t.live[e.TGID]; old != nil {
		if old.source == SourceScan && old.matches(ticksAt(at)) {
			return // a scan showed it before its fork was read
		}
		t.replaced(old, at)
	}
	p := &process{
		pid: e.TGID, parent: schema.Some(int64(e.ParentTGID)), kernel: e.ParentTGID == kthreadd,
		boot: at, start: ticksAt(at), startKnown: true, epoch: t.epoch, threads: 1, checked: -1,
		image: &image{}, source: t.sources.event,
	}
	if parent := t.live[e.ParentTGID]; parent != nil {
		p.image = parent.image
		p.command = parent.command
	}
	t.live[p.pid] = p
	t.queueSpawn(p)
	t.describeLater(p)
}

// replaced takes in that another process has the pid of p from the boot time at on. The record of p may still come.
func (t *tracker) replaced(p *process, at int64) {
	if p.exitQueued && p.inWaiting && p.recordsDue > 0 {
		delete(t.live, p.pid)
		return
	}
	t.endUnseen(p, at)
}

// executed takes in that a process executes another program. The first exec while its spawn waits is what the fork was
// for, and the spawn tells it. Of several execs before the command line can be read, the last counts. The command line is empty
// where the source has none.
func (t *tracker) executed(e *netlink.Event, at int64, command string) {
	p := t.live[e.TGID]
	if p == nil {
		return
	}
	before, toldBySpawn := p.image, p.spawnWaits && !p.hasExecuted
	p.replaceImage()
	p.image.command, p.image.exact = command, command != ""
	p.leaderGone = false // whichever thread executes becomes the first
	t.describeLater(p)
	if !toldBySpawn && !p.kernel {
		t.queueExec(p, before, at)
	}
}

// describeLater has p described at the end of the poll.
func (t *tracker) describeLater(p *process) {
	if !p.inToDescribe {
		p.inToDescribe = true
		t.toDescribe = append(t.toDescribe, p)
	}
}

// describeQueued describes the processes that are new and live. A process that began and ended in one poll costs no read of
// /proc.
func (t *tracker) describeQueued() {
	for _, p := range t.toDescribe {
		p.inToDescribe = false
		if p.exitQueued || p.kernel || t.live[p.pid] != p {
			continue
		}
		if d, ok := t.describe(p.pid); ok && p.matches(d.StartTicks) {
			p.applyDescription(d.StartTicks, d.UID, d.Command)
		}
	}
	clear(t.toDescribe)
	t.toDescribe = t.toDescribe[:0]
}
