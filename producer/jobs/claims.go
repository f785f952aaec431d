// Package jobs finds out which job and step every process belongs to, and follows how far the jobs are. Job events,
// control groups, environments, parents and rules go in; owners come out.
package jobs

import (
	"strings"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Claims knows the owner of every process. It is fed with forks, scans and job events, by one goroutine. The zero value
// has no rules.
type Claims struct {
	judge judge
	tree  processTree
	runs  openRuns
}

// Naming says what names jobs, beside job events and our own variables. The zero value is nothing.
type Naming struct {
	Rules   []Rule
	Presets Presets // what CI and batch systems set
}

// NewClaims returns Claims that know no process yet. A process that is gone is kept for keepScans scans: its exit may not
// have been taken yet. Without a realUser, nil, names belong to nobody.
func NewClaims(by Naming, keepScans int64, realUser RealUser) *Claims {
	return &Claims{judge: judge{rules: by.Rules, presets: by.Presets, realUser: realUser}, tree: processTree{keepScans: keepScans}}
}

// Observe finds the owner of every process of a scan, and removes the processes that are gone.
func (c *Claims) Observe(procs []procfs.Process) {
	c.tree.scans++
	byPID := make(map[int]*procfs.Process, len(procs))
	for i := range procs {
		byPID[procs[i].PID] = &procs[i]
	}
	c.judge.claimNames(procs, &c.tree)
	for i := range procs {
		c.observeProcess(&procs[i], byPID, 0)
	}
	c.tree.removeGone()
	c.judge.releaseNames(&c.tree, c.runs.undeclared)
}

// observeProcess finds the owner of a process of a scan. The process's parent comes first, whatever its pid.
func (c *Claims) observeProcess(p *procfs.Process, byPID map[int]*procfs.Process, depth int) *member {
	m := c.tree.find(p.PID, p.StartTicks)
	if m == nil {
		m = c.tree.add(&member{pid: p.PID, parent: p.PPID, start: p.StartTicks})
		if parent := byPID[p.PPID]; parent != nil && depth < maxDepth {
			m.inherit(c.observeProcess(parent, byPID, depth+1), &c.tree.jobs)
		}
	} else if m.lastScan == c.tree.scans {
		return m
	}
	m.start, m.lastScan = p.StartTicks, c.tree.scans
	if p.State != 'Z' && p.State != 'X' {
		m.lastAlive = int64(p.ReadAt)
	}
	c.judge.describe(m, p, &c.tree)
	c.runs.begin(m)
	return m
}

// AddChild notes that a process forked another, which began at start, in ticks.
func (c *Claims) AddChild(pid, parent int, start uint64) { c.tree.fork(pid, parent, start) }

// AddRunning takes in what /proc says of a process between two scans.
func (c *Claims) AddRunning(p *procfs.Process) {
	m := c.tree.find(p.PID, p.StartTicks)
	if m == nil {
		m = c.tree.add(&member{pid: p.PID, parent: p.PPID, start: p.StartTicks, addedAtScan: c.tree.scans})
		m.inherit(c.tree.members[p.PPID], &c.tree.jobs)
	}
	m.start = p.StartTicks
	c.judge.describe(m, p, &c.tree)
	c.runs.begin(m)
}

// ClaimByCommand takes in the command line of a process, which may be gone by now.
func (c *Claims) ClaimByCommand(pid int, start uint64, command string) {
	if m := c.tree.find(pid, start); m != nil && m.claim <= byPod && len(c.judge.rules) > 0 {
		c.judge.applyCommand(m, matchCommand(c.judge.rules, strings.Fields(command)))
	}
}

// RemoveEnded notes that a process was gone at a boot time, in nanoseconds.
func (c *Claims) RemoveEnded(pid int, start uint64, boot int64) {
	if m := c.tree.find(pid, start); m != nil {
		c.tree.remove(m, boot)
	}
}

// NoteExit takes in how a process ended, which tells how its run did when nobody else does.
func (c *Claims) NoteExit(e *schema.Event) { c.runs.noteExit(e) }

// TellRuns returns what nobody else tells of this host's runs: the starts of those that nobody declares, and the ends of those that nobody
// told and nobody will, because what they began with is gone. The caller calls it after each scan, with the wall and the boot time of the scan,
// and once more when no other scan follows, then with final; it publishes what it returns.
func (c *Claims) TellRuns(wall, boot int64, final bool) []schema.JobEvent {
	return append(c.runs.declare(wall, boot, &c.tree), c.runs.conclude(wall, final, &c.tree)...)
}

// OwnerOf is the owner of the process that has the pid and began at start, in ticks, 0 for an unknown start.
func (c *Claims) OwnerOf(pid int, start uint64) Owner {
	if m := c.tree.find(pid, start); m != nil {
		return m.owner
	}
	return Owner{}
}

// Cgroup is the control group of a process as last known; empty when it is not known.
func (c *Claims) Cgroup(pid int) string {
	if m := c.tree.members[pid]; m != nil {
		return m.cgroup
	}
	return ""
}

// Cgroups are the control groups that hold processes of jobs, each once, in no order.
func (c *Claims) Cgroups() []string {
	var groups []string
	added := map[string]bool{}
	for _, m := range c.tree.members {
		if m.owner.Job != "" && m.cgroup != "" && !added[m.cgroup] {
			added[m.cgroup] = true
			groups = append(groups, m.cgroup)
		}
	}
	return groups
}

// PublishedByRun reports whether another program, such as proctape run, publishes what was seen to happen to a process at
// a boot time. It may have happened some time before it was seen.
func (c *Claims) PublishedByRun(pid int, start uint64, boot int64) bool {
	m := c.tree.find(pid, start)
	if m == nil || m.owner.publisher == nil {
		return false
	}
	until := m.owner.publisher.until
	return until == 0 || boot <= until || m.lastAlive <= until && m.start <= bootTicks(until)
}

// ApplyJobEvent takes in an event of a job of this host that was made at a boot time, in nanoseconds; 0 when that is not known.
func (c *Claims) ApplyJobEvent(e *schema.JobEvent, boot int64) {
	e = scrubEvent(e)
	c.runs.apply(e)
	if e.Inferred && e.Type != schema.JobEnded { // a sampler's own, of what says itself whose it is
		c.tree.jobs.apply(hostJob(e.JobID), e)
		return
	}
	o, believed := c.judge.ownerOf(e, &c.tree)
	if o.Job != e.JobID {
		mine := *e
		mine.JobID = o.Job
		e = &mine
	}
	switch e.Type {
	case schema.JobSheetEnded:
		c.tree.endPublishing(e, boot)
	case schema.JobEnded:
		c.tree.endPublishing(e, boot)
		c.judge.names.end(hostJob(e.JobID))
	}
	c.tree.jobs.apply(hostJob(e.JobID), e)
	if believed && (e.Type == schema.JobDeclared || e.Type == schema.JobSheetStarted) {
		c.tree.register(o, e, boot)
	}
	if e.Type == schema.JobSheetStarted {
		c.tree.startSheet(o)
	}
}

// ApplyFleetEvent takes in an event of a job of the fleet that was made at a boot time, in nanoseconds; 0 when that is not
// known. Only conductors can publish one. The processes that claim the job's name belong to it where they may; a process that
// the event names does in any case, and must be one of this machine.
func (c *Claims) ApplyFleetEvent(e *schema.JobEvent, boot int64) {
	e = scrubEvent(e)
	e.OwnEvents = false // nobody publishes events of processes for the fleet
	o := Owner{Job: e.JobID, Fleet: true, Sheet: e.Sheet, asked: e.JobID}
	if e.Type == schema.JobEnded {
		c.judge.names.end(o.key())
	} else {
		c.judge.openFleet(e, &c.tree)
	}
	c.tree.jobs.apply(o.key(), e)
	if e.Type == schema.JobDeclared || e.Type == schema.JobSheetStarted {
		c.tree.register(o, e, boot)
	}
	if e.Type == schema.JobSheetStarted {
		c.tree.startSheet(o)
	}
}

// Progress is how far the jobs are that have not ended, by name: those of this host, and those of the fleet that have a
// process on it.
func (c *Claims) Progress() []schema.JobProgress {
	return c.tree.jobs.list(func(key schema.JobKey) bool { return !key.Fleet || c.tree.hasProcessOf(key) })
}
