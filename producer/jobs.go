package producer

import (
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
	job   string
	sheet schema.Opt[int64]
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
	owner       owner
	basis       basis
	heir        owner // whose its children are: of a supervisor another's than its own
	supervisor  bool
	ownEvents   bool // whoever registered the job publishes its events
	cgroup      string
	seen        int64 // the scan that had it last; 0 for none
	born        int64 // the scan before which it was forked
}

// attribution knows whose every process is. It is fed with forks, scans and job events, by one goroutine. The zero value
// has no rules.
type attribution struct {
	rules   []Rule
	members map[int]*member
	jobs    map[string]*job
	scans   int64
	keep    int64 // scans for which a process that is gone is remembered: its exit may not have been taken yet
}

// job is what was said of a job that has not ended.
type job struct {
	schema.JobProgress
}

// descends is how far a chain of parents is followed: one that changes while it is read could be a ring.
const descends = 512

// sameStart reports whether two start times are one: that of a fork is taken a moment after the kernel's own.
func sameStart(a, b uint64) bool { return a == 0 || b == 0 || a-b+2 <= 4 }

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
	for pid, m := range a.members {
		if max(m.seen, m.born+1)+a.keep < a.scans {
			delete(a.members, pid)
		}
	}
}

// owner is whose a process is.
func (a *attribution) owner(pid int, start uint64) owner {
	if m := a.members[pid]; m != nil && sameStart(m.start, start) {
		return m.owner
	}
	return owner{}
}

func (a *attribution) resolve(p *procfs.Process, byPID map[int]*procfs.Process, depth int) *member {
	m := a.members[p.PID]
	if m != nil && sameStart(m.start, p.StartTicks) {
		if m.seen == a.scans {
			return m
		}
	} else {
		m = a.add(&member{pid: p.PID, parent: p.PPID})
		if parent := byPID[p.PPID]; parent != nil && depth < descends {
			m.inherit(a.resolve(parent, byPID, depth+1), a)
		}
	}
	m.start, m.seen = p.StartTicks, a.scans
	a.describe(m, p)
	return m
}

// describe looks for a better basis in what a process says of itself.
func (a *attribution) describe(m *member, p *procfs.Process) {
	if p.Cgroup != "" {
		m.cgroup = p.Cgroup
	}
	if m.basis < byCgroup {
		if name := matchRules(a.rules, cgroupRule, p.Cgroup); name != "" {
			m.own(owner{job: name}, byCgroup)
		}
	}
	if m.basis <= byEnvironment {
		if o, named := fromEnvironment(p.Env); named {
			m.own(o, byEnvironment)
		}
	}
	if m.basis == byNothing && len(p.Args) > 0 {
		if name := matchCommand(a.rules, p.Args); name != "" {
			m.own(owner{job: name}, byCommand)
		}
	}
}

// own sets a process's owner, who is its children's too.
func (m *member) own(o owner, by basis) {
	m.basis = by
	m.owner = o
	if !m.supervisor {
		m.heir = o
	}
}

// inherit makes a process its parent's child.
func (m *member) inherit(parent *member, a *attribution) {
	if parent == nil || parent.heir.job == "" {
		return
	}
	o := parent.heir
	if j := a.jobs[o.job]; j != nil && !o.sheet.Known {
		o.sheet = j.CurrentSheet
	}
	m.ownEvents = parent.ownEvents
	m.own(o, byParent)
}

// forked takes in that a process was started.
func (a *attribution) forked(pid, parent int, start uint64) {
	if m := a.members[pid]; m != nil && m.start != 0 && sameStart(m.start, start) {
		m.parent = parent // a scan was faster, and may have seen another parent
		if m.basis == byNothing {
			m.inherit(a.members[parent], a)
		}
		return
	}
	m := a.add(&member{pid: pid, parent: parent, start: start, born: a.scans})
	m.inherit(a.members[parent], a)
}

// met takes in what /proc says of a process between two scans.
func (a *attribution) met(p *procfs.Process) {
	m := a.members[p.PID]
	if m == nil || !sameStart(m.start, p.StartTicks) {
		m = a.add(&member{pid: p.PID, parent: p.PPID, born: a.scans})
		m.inherit(a.members[p.PPID], a)
	}
	m.start = p.StartTicks
	a.describe(m, p)
}

// called takes in the command line of a process that may be gone.
func (a *attribution) called(pid int, start uint64, command string) {
	if m := a.members[pid]; m != nil && sameStart(m.start, start) && m.basis == byNothing && len(a.rules) > 0 {
		if name := matchCommand(a.rules, strings.Fields(command)); name != "" {
			m.own(owner{job: name}, byCommand)
		}
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

// ended takes in that a process is gone.
func (a *attribution) ended(pid int, start uint64) {
	if m := a.members[pid]; m != nil && sameStart(m.start, start) {
		delete(a.members, pid)
	}
}

// said takes in what a conductor says of a job.
func (a *attribution) said(e *schema.JobEvent) {
	if e.Type == schema.JobEnded {
		delete(a.jobs, e.JobID)
		return
	}
	j := a.jobs[e.JobID]
	if j == nil {
		if len(a.jobs) >= maxJobs {
			return
		}
		j = &job{JobProgress: schema.JobProgress{JobID: e.JobID, Status: "running"}}
		if a.jobs == nil {
			a.jobs = map[string]*job{}
		}
		a.jobs[e.JobID] = j
	}
	j.take(e)
	o := owner{e.JobID, e.Sheet}
	if pid := e.PID; pid.Known && pid.V > 0 && (e.Type == schema.JobDeclared || e.Type == schema.JobSheetStarted) {
		a.register(int(pid.V), e.StartTicks, o, e)
	}
	if e.Type == schema.JobSheetStarted {
		a.beginSheet(o)
	}
}

// maxJobs bounds the jobs that are followed at a time: whoever may write to the log may declare jobs.
const maxJobs = 1000

// take brings a job's progress up to date.
func (j *job) take(e *schema.JobEvent) {
	known := func(dst *schema.Opt[int64], v schema.Opt[int64]) {
		if v.Known {
			*dst = v
		}
	}
	known(&j.TotalSheets, e.TotalSheets)
	known(&j.LastCompleted, e.LastCompleted)
	switch e.Type {
	case schema.JobSheetStarted:
		known(&j.CurrentSheet, e.Sheet)
	case schema.JobSheetEnded:
		if e.Sheet == j.CurrentSheet {
			j.CurrentSheet = schema.Opt[int64]{}
		}
		if !e.LastCompleted.Known && e.Sheet.Known && e.ExitCode.Or(0) == 0 {
			j.LastCompleted = e.Sheet
		}
	}
	if e.Status != "" {
		j.Status = e.Status
	}
}

// register makes a process and all that descends from it a job's, from now on. Of a supervisor only what descends.
func (a *attribution) register(pid int, start uint64, o owner, e *schema.JobEvent) {
	root := a.members[pid]
	if root == nil || !sameStart(root.start, start) {
		root = a.add(&member{pid: pid, start: start, born: a.scans})
	}
	root.supervisor, root.ownEvents = e.Supervisor, e.OwnEvents
	root.heir = o
	if !e.Supervisor {
		root.own(o, byRegistered)
	}
	children := map[int][]*member{}
	for _, m := range a.members {
		children[m.parent] = append(children[m.parent], m)
	}
	a.bequeath(root, children, 0)
}

// bequeath gives what a process has to its descendants, but for those that have a better claim.
func (a *attribution) bequeath(parent *member, children map[int][]*member, depth int) {
	if depth > descends {
		return
	}
	for _, m := range children[parent.pid] {
		if m == parent || m.basis > byParent || m.supervisor {
			continue
		}
		m.inherit(parent, a)
		a.bequeath(m, children, depth+1)
	}
}

// beginSheet gives a step that has begun to those processes of its job that are of no step yet. Those that start later
// inherit it.
func (a *attribution) beginSheet(o owner) {
	for _, m := range a.members {
		if m.owner.job == o.job && !m.owner.sheet.Known && m.basis == byParent {
			m.own(o, byParent)
		}
	}
}

// progress is how far the jobs that have not ended are, by name.
func (a *attribution) progress() []schema.JobProgress {
	if len(a.jobs) == 0 {
		return nil
	}
	out := make([]schema.JobProgress, 0, len(a.jobs))
	for _, j := range a.jobs {
		out = append(out, j.JobProgress)
	}
	sortProgress(out)
	return out
}

// reported reports whether somebody else publishes the events of a process.
func (a *attribution) reported(pid int, start uint64) bool {
	m := a.members[pid]
	return m != nil && sameStart(m.start, start) && m.ownEvents && m.owner.job != ""
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
