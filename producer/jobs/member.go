package jobs

import (
	"cmp"
	"time"

	"github.com/proctape/proctape/schema"
)

// nsPerTick is the unit of a process's start in /proc: 1/100 s, in nanoseconds.
const nsPerTick = int64(time.Second / schema.TicksPerSecond)

// startSlack is how far two readings of one start time may be apart, in ticks: that of a fork is taken a moment after
// the kernel's own.
const startSlack = 2

// claimKind says how an owner is known. A stronger claim replaces a weaker one, and among equals the first stays.
type claimKind int

const (
	byNothing claimKind = iota
	byPod               // the control group of a pod
	byCommand           // a rule on the command line
	byParent            // at fork
	byEnvironment
	byCgroup     // a rule on the control group
	byRegistered // a job event named the process
)

// member is a process and what is known of its owner.
type member struct {
	pid, parent int
	start       uint64 // ticks; 0 while it is not known
	startedBy   uint64 // it started no later, in ticks, while its start is not known; 0: not known either
	owner       Owner
	claim       claimKind
	childOwner  Owner // the owner that its children inherit; of a supervisor, not its own
	supervisor  bool
	cgroup      string
	named       knownName // the job that its environment names
	ruled       knownName // the job that a rule gives to its control group
	lastScan    int64     // the last scan that showed it; 0 for none
	lastAlive   int64     // boot time of the last scan that showed it alive
	addedAtScan int64     // how many scans there had been when it was added
}

// bootTicks is a boot time, in nanoseconds, in the unit of a start time.
func bootTicks(boot int64) uint64 { return uint64(max(boot, 0) / nsPerTick) }

// SameStart reports whether two start times, in ticks, are those of one process, as far as they are known: 0 is unknown,
// and two readings of one start may be two ticks apart.
func SameStart(a, b uint64) bool {
	return a == 0 || b == 0 || a-b+startSlack <= 2*startSlack
}

// matches reports whether m is the process of its pid that began at start.
func (m *member) matches(start uint64) bool {
	if m.start == 0 && m.startedBy > 0 && start > m.startedBy+startSlack {
		return false
	}
	return SameStart(m.start, start)
}

// mayBeParentOf reports whether m existed when a process began. If not, it only has the pid of that process's parent.
func (m *member) mayBeParentOf(start uint64) bool {
	return start == 0 || cmp.Or(m.start, m.startedBy) <= start+startSlack
}

// setOwner sets the owner of m and of the children that it will have. The publisher of its events stays, unless o names
// another.
func (m *member) setOwner(o Owner, by claimKind) {
	if o.publisher == nil {
		o.publisher = m.owner.publisher
	}
	m.claim = by
	m.owner = o
	if !m.supervisor {
		m.childOwner = o
	}
}

// inherit gives m what its parent leaves to its children: the control group and the owner, with the step that its job is
// at now.
func (m *member) inherit(parent *member, jobs *progress) {
	if parent == nil || !parent.mayBeParentOf(m.start) {
		return
	}
	if m.cgroup == "" {
		m.cgroup = parent.cgroup
	}
	o := parent.childOwner
	if o.Job == "" {
		return
	}
	if !o.Sheet.Known {
		o.Sheet = jobs.currentSheet(o.key())
	}
	m.setOwner(o, byParent)
}

// setParent gives m the parent that forked it, when a scan showed m before its fork was read: the scan may have shown
// the process that took it in after its parent ended. A stronger claim than the parent names the owner; then only the
// publisher is inherited.
func (m *member) setParent(parent *member, pid int, jobs *progress) {
	mayBe := parent != nil && parent.mayBeParentOf(m.start)
	if m.parent != pid && m.claim == byParent && mayBe {
		m.claim, m.owner = byNothing, Owner{}
		if !m.supervisor {
			m.childOwner = Owner{}
		}
	}
	m.parent = pid
	switch {
	case m.claim <= byParent:
		m.inherit(parent, jobs)
	case mayBe && m.owner.publisher == nil:
		m.owner.publisher = parent.childOwner.publisher
		if !m.supervisor {
			m.childOwner.publisher = m.owner.publisher
		}
	}
}
