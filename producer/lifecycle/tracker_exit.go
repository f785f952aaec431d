package lifecycle

import (
	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// exit takes in the end of a thread.
func (t *tracker) exit(e *netlink.Event, at int64) {
	r, recorded := t.release(e.TGID)
	p := t.live[e.TGID]
	if p == nil {
		if p = t.stranger(e, r, recorded, at); p == nil {
			return
		}
		t.live[p.pid] = p
	}
	p.threads--
	p.endedAt, p.heardAt = max(p.endedAt, at), t.boot
	if e.PID == e.TGID {
		p.leaderGone = true
	}
	if !p.last {
		p.status = e.Status
	}
	switch {
	case recorded:
		p.fold(&r)
	case t.records:
		p.owed++
	}
	if !p.waits && !t.resolveKnown(p) {
		p.waits = true
		t.waiting = append(t.waiting, p)
	}
}

// stranger is a process whose thread has ended and that nothing was known of, nil when there is nothing to tell: when
// others of its threads live, or may, when it is a kernel thread, or when all that is to know was told and this is the
// belated end of another of its threads.
func (t *tracker) stranger(e *netlink.Event, r netlink.Record, recorded bool, at int64) *process {
	switch {
	case recorded:
		if !r.Last || r.ParentTGID == kthreadd {
			return nil
		}
	case t.records || !t.blind || e.PID != e.TGID:
		return nil
	}
	p := &process{pid: e.TGID, epoch: -1, checked: -1, image: &image{}, source: SourceConnector}
	if recorded && r.Life > 0 {
		p.boot, p.dated = at-int64(r.Life), true
		p.start = ticksAt(p.boot)
	}
	return p
}

// hasEnded is what events and records say of the end of p. It is false when they do not say.
func (t *tracker) hasEnded(p *process) bool {
	switch {
	case p.last:
		return true
	case t.records && p.owed == 0 && p.missed == 0: // all records are here and none is the last
		return false
	}
	return p.epoch == t.epoch && p.threads == 0
}

// inDoubt says that p may have ended and that only the process itself can tell.
func (t *tracker) inDoubt(p *process) bool {
	told := t.records && p.owed == 0 && p.missed == 0
	return !told && p.epoch != t.epoch && p.leaderGone
}

// resolveKnown draws the conclusions that need no question. It reports whether nothing more is to come of p for now.
func (t *tracker) resolveKnown(p *process) bool {
	if !p.over && t.ended(p) {
		t.finish(p)
	}
	if !p.over {
		return p.owed == 0 && !t.inDoubt(p)
	}
	if p.owed == 0 && (p.epoch == t.epoch && p.threads <= 0 || p.last && !p.threaded) {
		t.settle(p)
	}
	return p.settled
}

// resolve draws all conclusions that can be drawn by now. It reports whether nothing more is to come of p for now.
func (t *tracker) resolve(p *process) bool {
	late := t.boot-p.heardAt >= int64(Settle)
	if late && p.owed > 0 {
		t.hole(reasonRecords, p.heardAt, int64(p.owed))
		p.missed, p.owed = p.missed+p.owed, 0
	}
	done := t.resolveKnown(p)
	if !p.over && t.inDoubt(p) {
		if !t.alive(p.pid) {
			t.finish(p)
		}
		done = !p.over && p.owed == 0
	}
	if p.over && late {
		t.settle(p)
	}
	done = done || p.settled
	p.waits = !done
	return done
}

// finish tells of the end of p. What else comes of it until it is settled still counts.
func (t *tracker) finish(p *process) {
	p.over = true
	if !p.kernel {
		t.queue(schema.KindExit, p)
	}
}

// settle lets go of p: nothing more is to come of it.
func (t *tracker) settle(p *process) {
	p.settled = true
	if t.live[p.pid] == p {
		delete(t.live, p.pid)
	}
}

// vanish ends p, of whose end no event will come, at the boot time at.
func (t *tracker) vanish(p *process, at int64) {
	if !p.over {
		p.vanished = !p.leaderGone
		p.endedAt = max(p.endedAt, at)
		t.finish(p)
	}
	t.settle(p)
}

// record takes in an exit record.
func (t *tracker) record(r netlink.Record) {
	if r.Bare && !r.Last {
		return // nobody knows whose thread it was
	}
	if p := t.live[r.TGID]; p != nil && p.owed > 0 {
		p.fold(&r)
		p.owed--
		return
	}
	t.held[r.TGID] = append(t.held[r.TGID], heldRecord{r, t.boot, t.epoch})
}

// release takes the first of the records that wait for the exits of a process.
func (t *tracker) release(pid int) (netlink.Record, bool) {
	held := t.held[pid]
	if len(held) == 0 {
		return netlink.Record{}, false
	}
	if len(held) == 1 {
		delete(t.held, pid)
	} else {
		t.held[pid] = held[1:]
	}
	return held[0].Record, true
}

// expire makes do with the records alone whose exits were lost. Without a loss an exit will come, however long the
// kernel takes to tear the process down.
func (t *tracker) expire() {
	for pid, held := range t.held {
		for len(held) > 0 {
			age := t.boot - held[0].at
			if age < int64(Settle) || held[0].epoch == t.epoch && age < int64(patience) {
				break
			}
			t.expireOne(&held[0])
			held = held[1:]
		}
		if len(held) == 0 {
			delete(t.held, pid)
		} else {
			t.held[pid] = held
		}
	}
}

func (t *tracker) expireOne(r *heldRecord) {
	p := t.live[r.TGID]
	if p == nil {
		if p = t.stranger(&netlink.Event{TGID: r.TGID}, r.Record, true, r.at); p == nil {
			return
		}
	}
	p.fold(&r.Record)
	if r.Last {
		p.endedAt = max(p.endedAt, r.at)
		if !p.over {
			t.finish(p)
		}
		t.settle(p)
	}
}
