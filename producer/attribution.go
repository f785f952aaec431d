package producer

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// The variables by which a process names its job, and the step of it. They stand in the environment with which the
// process was started, and are inherited.
const (
	EnvJob   = "PROCTAPE_JOB_ID"
	EnvSheet = "PROCTAPE_SHEET"
)

// Owner is whose a process is. The zero owner is nobody.
type Owner struct {
	Job       string
	Sheet     schema.Opt[int64]
	publisher *eventPublisher // who publishes the process's events in the sampler's place; nil: nobody
}

// eventPublisher is somebody who publishes the events of a job's processes.
type eventPublisher struct {
	until int64 // boot time of the last that it publishes; 0 while it is at work
}

// endAt has it publish nothing of what is after a boot time.
func (r *eventPublisher) endAt(boot int64) {
	if r != nil && (r.until == 0 || boot < r.until) {
		r.until = max(boot, 1)
	}
}

// claimKind is how an owner is known. A better one replaces a lesser, and among equals the first stays.
type claimKind int

const (
	byNothing claimKind = iota
	byCommand           // a rule on the command line
	byParent            // at fork
	byEnvironment
	byCgroup     // a rule on the control group
	byRegistered // a job event named the process
)

// member is a process whose owner was looked for.
type member struct {
	pid, parent int
	start       uint64 // ticks; 0 while it is not known
	startedBy   uint64 // by when it lived, in ticks, while its start is not known; 0: not known either
	owner       Owner
	claim       claimKind
	childOwner  Owner // whose its children are: of a supervisor another's than its own
	supervisor  bool
	cgroup      string
	lastScan    int64 // the scan that had it last; 0 for none
	lastAlive   int64 // boot time at which one had it alive
	addedAtScan int64 // the scan before which it was forked
}

// Claims knows whose every process is. It is fed with forks, scans and job events, by one goroutine. The zero value
// has no rules.
type Claims struct {
	rules     []Rule
	members   map[int]*member
	jobs      map[string]*jobState
	heard     int64 // events of jobs
	scans     int64
	keepScans int64 // scans for which a process that is gone is remembered: its exit may not have been taken yet
}

// maxDepth is how far a chain of parents is followed: one that changes while it is read could be a ring.
const maxDepth = 512

// startSlack is how far two readings of one start time may be apart, in ticks: that of a fork is taken a moment after
// the kernel's own.
const startSlack = 2

// ticksOf is a boot time in the unit of a start time.
func ticksOf(boot int64) uint64 { return uint64(max(boot, 0) / nsPerTick) }

// sameStart reports whether two start times are one, as far as they are known.
func sameStart(a, b uint64) bool {
	return a == 0 || b == 0 || a-b+startSlack <= 2*startSlack
}

// is reports whether m is the process of its pid that began at start.
func (m *member) is(start uint64) bool {
	if m.start == 0 && m.startedBy > 0 && start > m.startedBy+startSlack {
		return false
	}
	return sameStart(m.start, start)
}

// mayBeParentOf reports whether m was there when a process began: else it only has the pid of that one's parent.
func (m *member) mayBeParentOf(start uint64) bool {
	return start == 0 || cmp.Or(m.start, m.startedBy) <= start+startSlack
}

// Observe finds the owner of every process of a scan, and forgets the processes that are gone.
func (a *Claims) Observe(procs []procfs.Process) {
	a.scans++
	byPID := make(map[int]*procfs.Process, len(procs))
	for i := range procs {
		byPID[procs[i].PID] = &procs[i]
	}
	for i := range procs {
		a.findOwner(&procs[i], byPID, 0)
	}
	for _, m := range a.members {
		if max(m.lastScan, m.addedAtScan+1)+a.keepScans < a.scans {
			a.remove(m, 0)
		}
	}
}

// OwnerOf is whose a process is.
func (a *Claims) OwnerOf(pid int, start uint64) Owner {
	if m := a.members[pid]; m != nil && m.is(start) {
		return m.owner
	}
	return Owner{}
}

func (a *Claims) findOwner(p *procfs.Process, byPID map[int]*procfs.Process, depth int) *member {
	m := a.members[p.PID]
	if m != nil && m.is(p.StartTicks) {
		if m.lastScan == a.scans {
			return m
		}
	} else {
		m = a.add(&member{pid: p.PID, parent: p.PPID, start: p.StartTicks})
		if parent := byPID[p.PPID]; parent != nil && depth < maxDepth {
			m.inherit(a.findOwner(parent, byPID, depth+1), a)
		}
	}
	m.start, m.lastScan = p.StartTicks, a.scans
	if p.State != 'Z' && p.State != 'X' {
		m.lastAlive = int64(p.ReadAt)
	}
	a.claimByDescription(m, p)
	return m
}

// claimByDescription looks for a better basis in what a process says of itself.
func (a *Claims) claimByDescription(m *member, p *procfs.Process) {
	if p.Cgroup != "" {
		m.cgroup = p.Cgroup
	}
	if m.claim < byCgroup {
		switch name := matchRules(a.rules, cgroupRule, p.Cgroup); name {
		case "":
		case m.owner.Job: // whose step is known better than by a rule
			m.claim = byCgroup
		default:
			m.setOwner(Owner{Job: name}, byCgroup)
		}
	}
	if o, named := ownerFromEnvironment(p.Env); named {
		if m.claim <= byEnvironment || o.Job == m.owner.Job && !m.owner.Sheet.Known {
			m.setOwner(o, max(m.claim, byEnvironment))
		}
	}
	if m.claim == byNothing {
		m.claimByRule(matchCommand(a.rules, p.Args))
	}
}

// claimByRule gives a process the job that a rule gives to its command line, if one does.
func (m *member) claimByRule(job string) {
	if job != "" {
		m.setOwner(Owner{Job: job}, byCommand)
	}
}

// setOwner sets a process's owner, who is its children's too. Who publishes its events goes on to.
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

// inherit makes a process its parent's child.
func (m *member) inherit(parent *member, a *Claims) {
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
	if j := a.jobs[o.Job]; j != nil && !o.Sheet.Known {
		o.Sheet = j.CurrentSheet
	}
	m.setOwner(o, byParent)
}

// AddChild takes in that a process was started.
func (a *Claims) AddChild(pid, parent int, start uint64) {
	if m := a.members[pid]; m != nil && m.start+m.startedBy > 0 && m.is(start) {
		m.start = cmp.Or(m.start, start)
		m.setParent(a.members[parent], parent, a)
		return
	}
	m := a.add(&member{pid: pid, parent: parent, start: start, addedAtScan: a.scans})
	m.inherit(a.members[parent], a)
}

// setParent gives a process that a scan saw before its fork was told the parent that forked it: the scan may have seen
// another, who took it in.
func (m *member) setParent(parent *member, pid int, a *Claims) {
	if m.parent != pid && m.claim == byParent && parent != nil && parent.mayBeParentOf(m.start) {
		m.claim, m.owner = byNothing, Owner{}
		if !m.supervisor {
			m.childOwner = Owner{}
		}
	}
	m.parent = pid
	switch {
	case m.claim <= byParent:
		m.inherit(parent, a)
	case parent != nil && parent.mayBeParentOf(m.start) && m.owner.publisher == nil: // whose it is is known better; who publishes goes by the tree
		m.owner.publisher = parent.childOwner.publisher
		if !m.supervisor {
			m.childOwner.publisher = m.owner.publisher
		}
	}
}

// AddRunning takes in what /proc says of a process between two scans.
func (a *Claims) AddRunning(p *procfs.Process) {
	m := a.members[p.PID]
	if m == nil || !m.is(p.StartTicks) {
		m = a.add(&member{pid: p.PID, parent: p.PPID, start: p.StartTicks, addedAtScan: a.scans})
		m.inherit(a.members[p.PPID], a)
	}
	m.start = p.StartTicks
	a.claimByDescription(m, p)
}

// ClaimByCommand takes in the command line of a process that may be gone.
func (a *Claims) ClaimByCommand(pid int, start uint64, command string) {
	if m := a.members[pid]; m != nil && m.is(start) && m.claim == byNothing && len(a.rules) > 0 {
		m.claimByRule(matchCommand(a.rules, strings.Fields(command)))
	}
}

// Cgroup is the control group of a process as last known.
func (a *Claims) Cgroup(pid int) string {
	if m := a.members[pid]; m != nil {
		return m.cgroup
	}
	return ""
}

func (a *Claims) add(m *member) *member {
	if a.members == nil {
		a.members = map[int]*member{}
	}
	a.members[m.pid] = m
	return m
}

// RemoveEnded takes in that a process was gone at a boot time.
func (a *Claims) RemoveEnded(pid int, start uint64, boot int64) {
	if m := a.members[pid]; m != nil && m.is(start) {
		a.remove(m, boot)
	}
}

// remove forgets a process that was gone at a boot time. A supervisor that is gone publishes nothing.
func (a *Claims) remove(m *member, boot int64) {
	if m.supervisor {
		m.childOwner.publisher.endAt(boot)
	}
	delete(a.members, m.pid)
}

// PublishedByRun reports whether somebody else publishes what was seen to happen to a process at a boot time. It may have
// happened some time before.
func (a *Claims) PublishedByRun(pid int, start uint64, boot int64) bool {
	m := a.members[pid]
	if m == nil || !m.is(start) || m.owner.publisher == nil {
		return false
	}
	until := m.owner.publisher.until
	return until == 0 || boot <= until || m.lastAlive <= until && m.start <= ticksOf(until)
}
func ownerFromEnvironment(env map[string]string) (o Owner, named bool) {
	job := env[EnvJob]
	if job == "" || job != ValidText(job, schema.MaxName) {
		return Owner{}, false
	}
	o.Job = job
	if n, err := strconv.ParseInt(env[EnvSheet], 10, 32); err == nil {
		o.Sheet = schema.Some(n)
	}
	return o, true
}
