package producer

import (
	"math"

	"github.com/proctape/proctape/schema"
)

// job is what was said of a job that has not ended.
type job struct {
	schema.JobProgress
	heard int64 // number of the last event
}

// said takes in what a conductor said of a job at a boot time; 0 when that is not known.
func (a *attribution) said(e *schema.JobEvent, boot int64) {
	if e.Type == schema.JobEnded || e.Type == schema.JobSheetEnded {
		a.reportsEnd(e, boot)
	}
	if e.Type == schema.JobEnded {
		delete(a.jobs, e.JobID)
		return
	}
	a.job(e.JobID).take(e)
	o := owner{job: e.JobID, sheet: e.Sheet}
	if e.Type == schema.JobDeclared || e.Type == schema.JobSheetStarted {
		a.register(o, e, boot)
	}
	if e.Type == schema.JobSheetStarted {
		a.beginSheet(o)
	}
}

// maxJobs bounds the jobs that are followed at a time: whoever may write to the log may declare jobs, and not each is
// said to have ended. Those that were last heard of stay.
const maxJobs = 1000

// job is what is known of a job that was heard of now.
func (a *attribution) job(name string) *job {
	j := a.jobs[name]
	if j == nil {
		if len(a.jobs) >= maxJobs {
			a.forgetJob()
		}
		j = &job{JobProgress: schema.JobProgress{JobID: name, Status: "running"}}
		if a.jobs == nil {
			a.jobs = map[string]*job{}
		}
		a.jobs[name] = j
	}
	a.heard++
	j.heard = a.heard
	return j
}

// forgetJob forgets the job that was not heard of for the longest time. Its processes stay its.
func (a *attribution) forgetJob() {
	var oldest *job
	for _, j := range a.jobs {
		if oldest == nil || j.heard < oldest.heard {
			oldest = j
		}
	}
	delete(a.jobs, oldest.JobID)
}

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

// register makes the process that a conductor named and all that descends from it a job's, from now on. Of a supervisor
// only what descends. Who has the process's pid after it is not meant.
func (a *attribution) register(o owner, e *schema.JobEvent, boot int64) {
	if !e.PID.Known || e.PID.V <= 0 || e.PID.V > math.MaxInt32 {
		return
	}
	pid, latest := int(e.PID.V), ticksOf(boot)
	root := a.members[pid]
	switch {
	case root == nil:
		root = a.add(&member{pid: pid, start: e.StartTicks, latest: latest, born: a.scans})
	case !root.is(e.StartTicks) && root.start < e.StartTicks:
		root = a.add(&member{pid: pid, start: e.StartTicks, born: a.scans})
	case !root.is(e.StartTicks), latest > 0 && root.start > latest+startSlack:
		return // the process is gone, and its pid in use again
	case root.start == 0:
		root.start, root.latest = e.StartTicks, latest
	}
	root.supervisor = e.Supervisor
	if e.OwnEvents {
		o.reporter = &reporter{}
	}
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
		if m == parent || m.basis > byParent || !parent.mayBeParentOf(m.start) {
			continue
		}
		m.inherit(parent, a)
		if !m.supervisor {
			a.bequeath(m, children, depth+1)
		}
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

// reportsEnd takes in that a conductor that publishes the events of a job publishes no more of them.
func (a *attribution) reportsEnd(e *schema.JobEvent, boot int64) {
	m := a.members[int(e.PID.Or(0))]
	if e.OwnEvents && m != nil && m.is(e.StartTicks) && (m.supervisor || m.basis == byRegistered) && m.heir.job == e.JobID {
		m.heir.reporter.end(boot)
	}
}
