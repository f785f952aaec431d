package lifecycle

import (
	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// endings finds out which processes have ended, and how. Its live processes are those of the tracker.
type endings struct {
	*trackerState
	eventQueue
	recordStore
	describe       func(pid int) (Description, bool)
	alive          func(pid int) bool    // the process exists and has threads that have not ended
	records        bool                  // exit records are to be expected
	ended          func(p *process) bool // whether events and records say that p has ended
	live           map[int]*process      // by pid: the processes that have not ended, or so recently that more may come
	waiting        []*process            // the processes of which more may come: records, exits of other threads
	mayHaveUnknown bool                  // processes may live that are not known: before the first scan, after a loss
}

// threadEnded takes in the end of a thread.
func (t *endings) threadEnded(e *netlink.Event, at int64) {
	p := t.live[e.TGID]
	r, recorded := t.takeRecord(e.TGID, e.PID, p)
	if p == nil {
		if p = t.unknownProcess(e, r, recorded); p == nil {
			return
		}
		p.dateBack(at, r.Life)
		t.live[p.pid] = p
	}
	p.threads--
	p.endedAt, p.exitReadAt = max(p.endedAt, at), t.boot
	if e.PID == e.TGID {
		p.leaderGone = true
	}
	if !p.last {
		p.status = e.Status
	}
	switch {
	case recorded:
		p.addRecord(&r)
	case t.records:
		p.recordsDue++
	}
	if p.exitQueued || t.ended(p) {
		t.processEnded(p)
	}
	if !p.dropped && !p.inWaiting {
		p.inWaiting = true
		t.waiting = append(t.waiting, p)
	}
}

// unknownProcess makes the process of a thread that has ended, when nothing was known of the process. It returns nil when no
// exit is to be queued: when other threads of the process live, or may live, when it is a kernel thread, or when its exit was
// queued already and this is the late end of another of its threads.
func (t *endings) unknownProcess(e *netlink.Event, r netlink.Record, recorded bool) *process {
	switch {
	case recorded:
		if !r.Last || r.ParentTGID == kthreadd {
			return nil
		}
	case t.records || !t.mayHaveUnknown || e.PID != e.TGID:
		return nil
	}
	return &process{pid: e.TGID, epoch: -1, checked: -1, image: &image{}, source: t.sources.event}
}

// hasEnded reports whether events and records say that p has ended.
func (t *endings) hasEnded(p *process) bool {
	return p.last || !t.allRecorded(p) && t.counted(p) && p.threads <= 0
}

// inDoubt reports whether p may have ended, while neither events nor records say so.
func (t *endings) inDoubt(p *process) bool {
	return !p.exitQueued && p.leaderGone && !t.counted(p) && !t.allRecorded(p)
}

// counted reports whether the number of p's threads is known.
func (t *endings) counted(p *process) bool { return p.epoch == t.epoch }

// allRecorded reports whether there is a record of each thread of p whose end was seen. Then the records decide.
func (t *endings) allRecorded(p *process) bool {
	return t.records && p.recordsDue == 0 && p.recordsMissed == 0
}

// concludeLate ends p if that is certain by now, and gives up records that are overdue. It reports whether nothing more is
// waited for.
func (t *endings) concludeLate(p *process) bool {
	late := t.boot-p.exitReadAt >= int64(EventDelay)
	if late && p.recordsDue > 0 {
		t.noteLoss(schema.GapExitRecordsLost, p.exitReadAt, int64(p.recordsDue))
		p.recordsMissed, p.recordsDue = p.recordsMissed+p.recordsDue, 0
	}
	if p.exitQueued || t.ended(p) || t.inDoubt(p) && !t.alive(p.pid) {
		t.processEnded(p)
		if late {
			t.drop(p)
		}
	}
	p.inWaiting = p.recordsDue > 0 || !p.dropped && p.exitQueued // its exit, and what is behind it, is not taken while records are due
	return !p.inWaiting
}

// processEnded queues the exit of p, and drops p when the ends of all its threads are known.
func (t *endings) processEnded(p *process) {
	if !p.exitQueued {
		t.queueExit(p)
	}
	if p.recordsDue == 0 && (t.counted(p) && p.threads <= 0 || p.last && !p.threaded) {
		t.drop(p)
	}
}

// drop removes p: no more events of it will come.
func (t *endings) drop(p *process) {
	p.dropped = true
	if t.live[p.pid] == p {
		delete(t.live, p.pid)
	}
}

// endUnseen ends p at the boot time at. No event of its end will come.
func (t *endings) endUnseen(p *process, at int64) {
	if !p.exitQueued {
		p.endedUnseen = !t.inDoubt(p) || !p.inWaiting // else its pid was taken before it could be asked: it has ended
		p.endedAt = max(p.endedAt, at)
		t.addHeldRecords(p)
		t.queueExit(p)
	}
	t.drop(p)
}

// addHeldRecords adds the records that came without their exits.
func (t *endings) addHeldRecords(p *process) {
	for !p.last {
		r, ok := t.takeRecord(p.pid, p.pid, p)
		if !ok {
			return
		}
		p.addRecord(&r)
	}
	p.endedUnseen = false
}

// applyRecord takes in an exit record.
func (t *endings) applyRecord(r netlink.Record) {
	if p := t.ofRecord(&r); p != nil && p.recordsDue > 0 {
		p.addRecord(&r)
		p.recordsDue--
		return
	}
	t.hold(r)
}

// ofRecord is the process that a record is of: the one that has the pid, or one that had it before, where the record says when its
// process began. Two may have begun in the same hundredth of a second.
func (t *endings) ofRecord(r *netlink.Record) *process {
	p := t.live[r.TGID]
	if r.Start == 0 || p != nil && p.boot == r.Start {
		return p
	}
	for _, w := range t.waiting {
		if w.pid == r.TGID && w.boot == r.Start {
			return w
		}
	}
	return p
}

// expire uses the records alone whose exits were lost.
func (t *endings) expire() {
	for pid, held := range t.held {
		for len(held) > 0 {
			if !t.expired(&held[0]) {
				break
			}
			t.expireOne(&held[0])
			held = held[1:]
		}
		t.setHeld(pid, held)
	}
}

func (t *endings) expireOne(r *heldRecord) {
	p := t.live[r.TGID]
	if r.isStale(p) || p != nil && r.Last && !p.exitQueued && p.lives(t.alive, t.describe) {
		return // of a process that had the pid before
	}
	if p == nil {
		if p = t.unknownProcess(&netlink.Event{TGID: r.TGID}, r.Record, true); p == nil {
			return
		}
	}
	p.addRecord(&r.Record)
	if r.Last {
		p.endedAt = max(p.endedAt, r.at)
		if !p.exitQueued {
			t.queueExit(p)
		}
		t.drop(p)
	}
}
