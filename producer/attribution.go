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

// owner is whose a process is. The zero owner is nobody.
type owner struct {
	job      string
	sheet    schema.Opt[int64]
	reporter *reporter // who publishes the process's events in the sampler's place; nil: nobody
}

// reporter is somebody who publishes the events of a job's processes.
type reporter struct {
	until int64 // boot time of the last that it publishes; 0 while it is at work
}

// end has it publish nothing of what is after a boot time.
func (r *reporter) end(boot int64) {
	if r != nil && (r.until == 0 || boot < r.until) {
		r.until = max(boot, 1)
	}
}

// basis is how an owner is known. A better one replaces a lesser, and among equals the first stays.
type basis int

const (
	byNothing basis = iota
	byCommand       // a rule on the command line
	byParent        // at fork
	byEnvironment
	byCgroup     // a rule on the control group
	byRegistered // a job event named the process
)

// member is a process whose owner was looked for.
type member struct {
	pid, parent int
	start       uint64 // ticks; 0 while it is not known
	latest      uint64 // by when it lived, in ticks, while its start is not known; 0: not known either
	owner       owner
	basis       basis
	heir        owner // whose its children are: of a supervisor another's than its own
	supervisor  bool
	cgroup      string
	seen        int64 // the scan that had it last; 0 for none
	alive       int64 // boot time at which one had it alive
	born        int64 // the scan before which it was forked
}

// attribution knows whose every process is. It is fed with forks, scans and job events, by one goroutine. The zero value
// has no rules.
type attribution struct {
	rules   []Rule
	members map[int]*member
	jobs    map[string]*job
	heard   int64 // events of jobs
	scans   int64
	keep    int64 // scans for which a process that is gone is remembered: its exit may not have been taken yet
}

// descends is how far a chain of parents is followed: one that changes while it is read could be a ring.
const descends = 512

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
	if m.start == 0 && m.latest > 0 && start > m.latest+startSlack {
		return false
	}
	return sameStart(m.start, start)
}

// mayBeParentOf reports whether m was there when a process began: else it only has the pid of that one's parent.
func (m *member) mayBeParentOf(start uint64) bool {
	return start == 0 || cmp.Or(m.start, m.latest) <= start+startSlack
}

// assign finds the owner of every process of a scan, and forgets the processes that are gone.
func (a *attribution) assign(procs []procfs.Process) {
	a.scans++
	byPID := make(map[int]*procfs.Process, len(procs))
	for i := range procs {
		byPID[procs[i].PID] = &procs[i]
	}
	for i := range procs {
		a.resolve(&procs[i], byPID, 0)
	}
	for _, m := range a.members {
		if max(m.seen, m.born+1)+a.keep < a.scans {
			a.forget(m, 0)
		}
	}
}

// owner is whose a process is.
func (a *attribution) owner(pid int, start uint64) owner {
	if m := a.members[pid]; m != nil && m.is(start) {
		return m.owner
	}
	return owner{}
}

func (a *attribution) resolve(p *procfs.Process, byPID map[int]*procfs.Process, depth int) *member {
	m := a.members[p.PID]
	if m != nil && m.is(p.StartTicks) {
		if m.seen == a.scans {
			return m
		}
	} else {
		m = a.add(&member{pid: p.PID, parent: p.PPID, start: p.StartTicks})
		if parent := byPID[p.PPID]; parent != nil && depth < descends {
			m.inherit(a.resolve(parent, byPID, depth+1), a)
		}
	}
	m.start, m.seen = p.StartTicks, a.scans
	if p.State != 'Z' && p.State != 'X' {
		m.alive = int64(p.ReadAt)
	}
	a.describe(m, p)
	return m
}

// describe looks for a better basis in what a process says of itself.
func (a *attribution) describe(m *member, p *procfs.Process) {
	if p.Cgroup != "" {
		m.cgroup = p.Cgroup
	}
	if m.basis < byCgroup {
		switch name := matchRules(a.rules, cgroupRule, p.Cgroup); name {
		case "":
		case m.owner.job: // whose step is known better than by a rule
			m.basis = byCgroup
		default:
			m.own(owner{job: name}, byCgroup)
		}
	}
	if o, named := fromEnvironment(p.Env); named {
		if m.basis <= byEnvironment || o.job == m.owner.job && !m.owner.sheet.Known {
			m.own(o, max(m.basis, byEnvironment))
		}
	}
	if m.basis == byNothing {
		m.call(matchCommand(a.rules, p.Args))
	}
}

// call gives a process the job that a rule gives to its command line, if one does.
func (m *member) call(job string) {
	if job != "" {
		m.own(owner{job: job}, byCommand)
	}
}

// own sets a process's owner, who is its children's too. Who publishes its events goes on to.
func (m *member) own(o owner, by basis) {
	if o.reporter == nil {
		o.reporter = m.owner.reporter
	}
	m.basis = by
	m.owner = o
	if !m.supervisor {
		m.heir = o
	}
}

// inherit makes a process its parent's child.
func (m *member) inherit(parent *member, a *attribution) {
	if parent == nil || !parent.mayBeParentOf(m.start) {
		return
	}
	if m.cgroup == "" {
		m.cgroup = parent.cgroup
	}
	o := parent.heir
	if o.job == "" {
		return
	}
	if j := a.jobs[o.job]; j != nil && !o.sheet.Known {
		o.sheet = j.CurrentSheet
	}
	m.own(o, byParent)
}

// forked takes in that a process was started.
func (a *attribution) forked(pid, parent int, start uint64) {
	if m := a.members[pid]; m != nil && m.start+m.latest > 0 && m.is(start) {
		m.start = cmp.Or(m.start, start)
		m.adopt(a.members[parent], parent, a)
		return
	}
	m := a.add(&member{pid: pid, parent: parent, start: start, born: a.scans})
	m.inherit(a.members[parent], a)
}

// adopt gives a process that a scan saw before its fork was told the parent that forked it: the scan may have seen
// another, who took it in.
func (m *member) adopt(parent *member, pid int, a *attribution) {
	if m.parent != pid && m.basis == byParent && parent != nil && parent.mayBeParentOf(m.start) {
		m.basis, m.owner = byNothing, owner{}
		if !m.supervisor {
			m.heir = owner{}
		}
	}
	m.parent = pid
	switch {
	case m.basis <= byParent:
		m.inherit(parent, a)
	case parent != nil && parent.mayBeParentOf(m.start) && m.owner.reporter == nil: // whose it is is known better; who publishes goes by the tree
		m.owner.reporter = parent.heir.reporter
		if !m.supervisor {
			m.heir.reporter = m.owner.reporter
		}
	}
}

// met takes in what /proc says of a process between two scans.
func (a *attribution) met(p *procfs.Process) {
	m := a.members[p.PID]
	if m == nil || !m.is(p.StartTicks) {
		m = a.add(&member{pid: p.PID, parent: p.PPID, start: p.StartTicks, born: a.scans})
		m.inherit(a.members[p.PPID], a)
	}
	m.start = p.StartTicks
	a.describe(m, p)
}

// called takes in the command line of a process that may be gone.
func (a *attribution) called(pid int, start uint64, command string) {
	if m := a.members[pid]; m != nil && m.is(start) && m.basis == byNothing && len(a.rules) > 0 {
		m.call(matchCommand(a.rules, strings.Fields(command)))
	}
}

// cgroup is the control group of a process as last known.
func (a *attribution) cgroup(pid int) string {
	if m := a.members[pid]; m != nil {
		return m.cgroup
	}
	return ""
}

func (a *attribution) add(m *member) *member {
	if a.members == nil {
		a.members = map[int]*member{}
	}
	a.members[m.pid] = m
	return m
}

// ended takes in that a process was gone at a boot time.
func (a *attribution) ended(pid int, start uint64, boot int64) {
	if m := a.members[pid]; m != nil && m.is(start) {
		a.forget(m, boot)
	}
}

// forget forgets a process that was gone at a boot time. A supervisor that is gone publishes nothing.
func (a *attribution) forget(m *member, boot int64) {
	if m.supervisor {
		m.heir.reporter.end(boot)
	}
	delete(a.members, m.pid)
}

// reported reports whether somebody else publishes what was seen to happen to a process at a boot time. It may have
// happened some time before.
func (a *attribution) reported(pid int, start uint64, boot int64) bool {
	m := a.members[pid]
	if m == nil || !m.is(start) || m.owner.reporter == nil {
		return false
	}
	until := m.owner.reporter.until
	return until == 0 || boot <= until || m.alive <= until && m.start <= ticksOf(until)
}
func fromEnvironment(env map[string]string) (o owner, named bool) {
	job := env[EnvJob]
	if job == "" || job != validText(job, schema.MaxName) {
		return owner{}, false
	}
	o.job = job
	if n, err := strconv.ParseInt(env[EnvSheet], 10, 32); err == nil {
		o.sheet = schema.Some(n)
	}
	return o, true
}
