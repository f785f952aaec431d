package lifecycle

import (
	"slices"
	"time"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

const (
	maxPending    = 1 << 17     // occurrences that may wait to be taken
	recordTimeout = time.Minute // how long a record waits for an exit that no loss explains

	kthreadd = 2 // pid of the parent of all kernel threads
)

// A tracker turns what the kernel tells of threads into what happened to processes. It does no I/O but for the two
// questions it asks; all else is fed to it.
//
// A process begins with its fork. Its end is not the end of its first thread: that may leave others behind, or be
// replaced by another thread that executes a program. It is the end of the thread of which taskstats says that it was
// the last; where no record says so, that of the last of the threads that were counted since the fork; and where the
// count is not known, because the process is older than the tracker or events were lost, the end of the first thread if
// the process is not alive after it.
//
// The kernel sends a thread's record before its exit event. So a poll reads events first, then records, and then has a
// record for each exit. Records wait here for their exits, and exits that miss theirs wait for [EventDelay].
//
// Kernel threads are left out.
type tracker struct {
	describe       func(pid int) (Description, bool)
	alive          func(pid int) bool      // the process exists and has threads that have not ended
	records        bool                    // exit records are to be expected
	ended          func(p *process) bool   // whether what was told of p says that it has ended
	clocks                                 // of the last poll
	live           map[int]*process        // by pid: who has not ended, or so recently that more may come
	held           map[int][]heldRecord    // by process: records that came before their exits
	epoch          int                     // counts the losses of events
	mayHaveUnknown bool                    // processes may live that are not known: before the first look, after a loss
	scans          int                     // looks that were observed
	toDescribe     []*process              // whom to describe: new, or executing another program
	waiting        []*process              // of whom more may come: records, exits of other threads
	pending        []pendingEvent          // to be taken
	limit          int                     // of pending
	losses         map[string]*pendingLoss // by reason: losses to be taken
}

func newTracker(describe func(int) (Description, bool), alive func(int) bool, records bool) *tracker {
	t := &tracker{
		describe: describe, alive: alive, records: records, mayHaveUnknown: true, limit: maxPending,
		live: map[int]*process{}, held: map[int][]heldRecord{}, losses: map[string]*pendingLoss{},
	}
	t.ended = t.hasEnded
	return t
}

// clocks relate the kernel's clocks at one moment, in nanoseconds.
type clocks struct {
	boot       int64 // CLOCK_BOOTTIME
	sinceStart int64 // what CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the time suspended
	epochStart int64 // what CLOCK_REALTIME is ahead of CLOCK_BOOTTIME
}

// A batch is what a poll read.
type batch struct {
	clocks
	events      []netlink.Event
	overrun     bool // events were dropped
	records     []netlink.Record
	recordsLost bool
}

// heldRecord is a record whose exit has not come.
type heldRecord struct {
	netlink.Record
	at    int64 // boot time of the poll that read it
	epoch int   // of the tracker before that poll
}

// poll takes in a batch. It reports whether events were lost.
func (t *tracker) poll(b batch) (lossy bool) {
	since := t.boot
	t.clocks = b.clocks
	for _, r := range b.records {
		t.applyRecord(r)
	}
	if b.recordsLost {
		t.noteLoss(reasonRecords, since, 0)
	}
	lost := b.lost()
	lossy = b.overrun || lost > 0
	if lossy {
		t.noteLostEvents(since, lost)
	}
	for i := range b.events {
		t.applyEvent(&b.events[i])
	}
	if lossy {
		t.epoch++ // who began among these events may miss some of them as well
	}
	t.describeQueued()
	t.waiting = slices.DeleteFunc(t.waiting, t.resolve)
	t.expire()
	return lossy
}

// lost is how many events are known to be missing.
func (b *batch) lost() (n int64) {
	for i := range b.events {
		n += int64(b.events[i].Lost)
	}
	return n
}

// noteLostEvents notes that events were lost, n of them as far as is known, after the boot time since. No count of threads is
// good any more.
func (t *tracker) noteLostEvents(since, n int64) {
	t.epoch++
	t.mayHaveUnknown = true
	t.noteLoss(reasonEvents, since, n)
}

func (t *tracker) applyEvent(e *netlink.Event) {
	at := e.Time + t.sinceStart
	switch {
	case e.Kind == netlink.Fork && e.PID == e.TGID:
		t.forked(e, at)
	case e.Kind == netlink.Fork:
		if p := t.live[e.TGID]; p != nil {
			p.threads++
		}
	case e.Kind == netlink.Exec:
		t.executed(e, at)
	case e.Kind == netlink.Exit:
		t.threadEnded(e, at)
	}
}

func (t *tracker) forked(e *netlink.Event, at int64) {
	if old := t.live[e.TGID]; old != nil {
		if old.source == SourceScan && old.is(ticksAt(at)) {
			return // a look showed it before its fork was read
		}
		t.endUnseen(old, at)
	}
	p := &process{
		pid: e.TGID, parent: schema.Some(int64(e.ParentTGID)), kernel: e.ParentTGID == kthreadd,
		boot: at, start: ticksAt(at), startKnown: true, epoch: t.epoch, threads: 1, checked: -1,
		image: &image{}, source: SourceConnector,
	}
	if parent := t.live[e.ParentTGID]; parent != nil {
		p.image = parent.image
		p.command = parent.command
	}
	t.live[p.pid] = p
	t.queueSpawn(p)
	t.describeLater(p)
}

// executed takes in that a process executes another program. The first exec while its spawn waits is what the fork was
// for, and the spawn tells it. Of several execs before the command line can be read, the last counts.
func (t *tracker) executed(e *netlink.Event, at int64) {
	p := t.live[e.TGID]
	if p == nil {
		return
	}
	before, toldBySpawn := p.image, p.spawnWaits && !p.hasExecuted
	p.replaceImage()
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

// describeQueued reads what is new of those who still live: who has come and gone in one poll costs no look at /proc.
func (t *tracker) describeQueued() {
	for _, p := range t.toDescribe {
		p.inToDescribe = false
		if p.exitQueued || p.kernel || t.live[p.pid] != p {
			continue
		}
		if d, ok := t.describe(p.pid); ok && p.is(d.StartTicks) {
			p.applyDescription(d.StartTicks, d.UID, d.Command)
		}
	}
	clear(t.toDescribe)
	t.toDescribe = t.toDescribe[:0]
}
