package jobs

import (
	"cmp"
	"math"

	"github.com/proctape/proctape/schema"
)

// maxDepth is how far a chain of parents is followed: a chain that changes while it is read could be a ring.
const maxDepth = 512

// processTree holds the processes of this machine, with their parents and owners. The zero value holds none.
type processTree struct {
	members   map[int]*member
	jobs      progress
	scans     int64
	keepScans int64 // scans for which a process that is gone is kept: its exit may not have been taken yet
}

// find is the process that has the pid and began at start, 0 for an unknown start; nil when there is none.
func (t *processTree) find(pid int, start uint64) *member {
	if m := t.members[pid]; m != nil && m.matches(start) {
		return m
	}
	return nil
}

// add adds a process, in the place of the one that had its pid.
func (t *processTree) add(m *member) *member {
	if t.members == nil {
		t.members = map[int]*member{}
	}
	t.members[m.pid] = m
	return m
}

// fork adds a child of a process, or gives the child its parent when a scan has shown it already.
func (t *processTree) fork(pid, parent int, start uint64) {
	if m := t.find(pid, start); m != nil && m.start+m.startedBy > 0 {
		m.start = cmp.Or(m.start, start)
		m.setParent(t.members[parent], parent, &t.jobs)
		return
	}
	m := t.add(&member{pid: pid, parent: parent, start: start, addedAtScan: t.scans})
	m.inherit(t.members[parent], &t.jobs)
}

// remove removes a process that was gone at a boot time. A supervisor that is gone publishes nothing.
func (t *processTree) remove(m *member, boot int64) {
	if m.supervisor {
		m.childOwner.publisher.endAt(boot)
	}
	delete(t.members, m.pid)
}

// removeGone removes the processes that the last scans did not show.
func (t *processTree) removeGone() {
	for _, m := range t.members {
		if max(m.lastScan, m.addedAtScan+1)+t.keepScans < t.scans {
			t.remove(m, 0)
		}
	}
}

// register gives the process that a job event named, and all that descends from it, to a job, from now on; of a
// supervisor only what descends from it. A process that got the pid after the event is not meant.
func (t *processTree) register(o Owner, e *schema.JobEvent, boot int64) {
	if !e.PID.Known || e.PID.V <= 0 || e.PID.V > math.MaxInt32 {
		return
	}
	root := t.registered(int(e.PID.V), e.StartTicks, bootTicks(boot))
	if root == nil {
		return
	}
	root.supervisor = e.Supervisor
	o.registered = true
	if e.OwnEvents {
		o.publisher = &eventPublisher{}
	}
	root.childOwner = o
	if !e.Supervisor {
		root.setOwner(o, byRegistered)
	}
	children := map[int][]*member{}
	for _, m := range t.members {
		children[m.parent] = append(children[m.parent], m)
	}
	t.passToDescendants(root, children, 0)
}

// registered is the process that a job event means by a pid and a start, 0 for unknown, when it was published by the time
// latest, in ticks; nil when that process is gone and its pid is in use again.
func (t *processTree) registered(pid int, start, latest uint64) *member {
	m := t.members[pid]
	switch {
	case m == nil:
		return t.add(&member{pid: pid, start: start, startedBy: latest, addedAtScan: t.scans})
	case !m.matches(start) && m.start < start:
		return t.add(&member{pid: pid, start: start, addedAtScan: t.scans})
	case !m.matches(start), latest > 0 && m.start > latest+startSlack:
		return nil
	case m.start == 0:
		m.start, m.startedBy = start, latest
	}
	return m
}

// passToDescendants gives the owner that a process leaves to its children to its descendants, except those that have a
// stronger claim.
func (t *processTree) passToDescendants(parent *member, children map[int][]*member, depth int) {
	if depth > maxDepth {
		return
	}
	for _, m := range children[parent.pid] {
		if m == parent || m.claim > byParent || !parent.mayBeParentOf(m.start) {
			continue
		}
		m.inherit(parent, &t.jobs)
		if !m.supervisor {
			t.passToDescendants(m, children, depth+1)
		}
	}
}

// displace moves what a user claimed under a name to a name of that user's own: the name is root's now.
func (t *processTree) displace(name string) {
	t.rename(func(o *Owner) {
		if o.key() == hostJob(name) && o.user.Known && o.user.V != root {
			o.Job = personalName(name, int(o.user.V))
		}
	})
}

// rename passes every owner to f, which may give it another job.
func (t *processTree) rename(f func(*Owner)) {
	for _, m := range t.members {
		f(&m.owner)
		f(&m.childOwner)
	}
}

// hasProcessOf reports whether a process belongs to a job.
func (t *processTree) hasProcessOf(key schema.JobKey) bool {
	for _, m := range t.members {
		if m.owner.key() == key {
			return true
		}
	}
	return false
}

// livesOf reports whether a process of a job was there at the last scan or after it, and of which of its steps one was.
func (t *processTree) livesOf(key schema.JobKey) (alive bool, steps map[int64]bool) {
	for _, m := range t.members {
		if m.owner.key() != key || max(m.lastScan, m.addedAtScan) < t.scans {
			continue
		}
		alive = true
		if m.owner.Sheet.Known {
			if steps == nil {
				steps = map[int64]bool{}
			}
			steps[m.owner.Sheet.V] = true
		}
	}
	return alive, steps
}

// firstOfStep is the process of a step that began first; nil when there is none.
func (t *processTree) firstOfStep(key schema.JobKey, sheet int64) (first *member) {
	for _, m := range t.members {
		if m.owner.key() == key && m.owner.Sheet == schema.Some(sheet) && m.start > 0 && (first == nil || m.start < first.start) {
			first = m
		}
	}
	return first
}

// startSheet gives a step that has begun to the processes of its job that belong to no step yet. Processes that start
// later inherit it.
func (t *processTree) startSheet(o Owner) {
	for _, m := range t.members {
		if m.owner.key() == o.key() && !m.owner.Sheet.Known && m.claim == byParent {
			started := m.owner
			started.Sheet = o.Sheet
			m.setOwner(started, byParent)
		}
	}
}

// endPublishing notes that the program that published the events of a job publishes no more of them.
func (t *processTree) endPublishing(e *schema.JobEvent, boot int64) {
	m := t.find(int(e.PID.Or(0)), e.StartTicks)
	if e.OwnEvents && m != nil && (m.supervisor || m.claim == byRegistered) && m.childOwner.key() == hostJob(e.JobID) {
		m.childOwner.publisher.endAt(boot)
	}
}
