package producer

import (
	"math"

	"github.com/proctape/proctape/schema"
)

// jobState is what was said of a job that has not ended.
type jobState struct {
	schema.JobProgress
	lastEvent int64 // number of the last event
}

// ApplyJobEvent takes in what a conductor said of a job at a boot time; 0 when that is not known.
func (a *Claims) ApplyJobEvent(e *schema.JobEvent, boot int64) {
	if e.Type == schema.JobEnded || e.Type == schema.JobSheetEnded {
		a.endPublishing(e, boot)
	}
	if e.Type == schema.JobEnded {
		delete(a.jobs, e.JobID)
		return
	}
	a.job(e.JobID).apply(e)
	o := Owner{Job: e.JobID, Sheet: e.Sheet}
	if e.Type == schema.JobDeclared || e.Type == schema.JobSheetStarted {
		a.registerProcess(o, e, boot)
	}
	if e.Type == schema.JobSheetStarted {
		a.startSheet(o)
	}
}

// maxJobs bounds the jobs that are followed at a time: whoever may write to the log may declare jobs, and not each is
// said to have ended. Those that were last heard of stay.
const maxJobs = 1000

// job is what is known of a job that was heard of now.
func (a *Claims) job(name string) *jobState {
	j := a.jobs[name]
	if j == nil {
		if len(a.jobs) >= maxJobs {
			a.forgetJob()
		}
		j = &jobState{JobProgress: schema.JobProgress{JobID: name, Status: "running"}}
		if a.jobs == nil {
			a.jobs = map[string]*jobState{}
		}
		a.jobs[name] = j
	}
	a.heard++
	j.lastEvent = a.heard
	return j
}

// forgetJob forgets the job that was not heard of for the longest time. Its processes stay its.
func (a *Claims) forgetJob() {
	var oldest *jobState
	for _, j := range a.jobs {
		if oldest == nil || j.lastEvent < oldest.lastEvent {
			oldest = j
		}
	}
	delete(a.jobs, oldest.JobID)
}

// apply brings a job's progress up to date.
func (j *jobState) apply(e *schema.JobEvent) {
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

// registerProcess makes the process that a conductor named and all that descends from it a job's, from now on. Of a supervisor
// only what descends. Who has the process's pid after it is not meant.
func (a *Claims) registerProcess(o Owner, e *schema.JobEvent, boot int64) {
	if !e.PID.Known || e.PID.V <= 0 || e.PID.V > math.MaxInt32 {
		return
	}
	pid, latest := int(e.PID.V), ticksOf(boot)
	root := a.members[pid]
	switch {
	case root == nil:
		root = a.add(&member{pid: pid, start: e.StartTicks, startedBy: latest, addedAtScan: a.scans})
	case !root.is(e.StartTicks) && root.start < e.StartTicks:
		root = a.add(&member{pid: pid, start: e.StartTicks, addedAtScan: a.scans})
	case !root.is(e.StartTicks), latest > 0 && root.start > latest+startSlack:
		return // the process is gone, and its pid in use again
	case root.start == 0:
		root.start, root.startedBy = e.StartTicks, latest
	}
	root.supervisor = e.Supervisor
	if e.OwnEvents {
		o.publisher = &eventPublisher{}
	}
	root.childOwner = o
	if !e.Supervisor {
		root.setOwner(o, byRegistered)
	}
	children := map[int][]*member{}
	for _, m := range a.members {
		children[m.parent] = append(children[m.parent], m)
	}
	a.passToDescendants(root, children, 0)
}

// passToDescendants gives what a process has to its descendants, but for those that have a better claim.
func (a *Claims) passToDescendants(parent *member, children map[int][]*member, depth int) {
	if depth > maxDepth {
		return
	}
	for _, m := range children[parent.pid] {
		if m == parent || m.claim > byParent || !parent.mayBeParentOf(m.start) {
			continue
		}
		m.inherit(parent, a)
		if !m.supervisor {
			a.passToDescendants(m, children, depth+1)
		}
	}
}

// startSheet gives a step that has begun to those processes of its job that are of no step yet. Those that start later
// inherit it.
func (a *Claims) startSheet(o Owner) {
	for _, m := range a.members {
		if m.owner.Job == o.Job && !m.owner.Sheet.Known && m.claim == byParent {
			m.setOwner(o, byParent)
		}
	}
}

// Progress is how far the jobs that have not ended are, by name.
func (a *Claims) Progress() []schema.JobProgress {
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

// endPublishing takes in that a conductor that publishes the events of a job publishes no more of them.
func (a *Claims) endPublishing(e *schema.JobEvent, boot int64) {
	m := a.members[int(e.PID.Or(0))]
	if e.OwnEvents && m != nil && m.is(e.StartTicks) && (m.supervisor || m.claim == byRegistered) && m.childOwner.Job == e.JobID {
		m.childOwner.publisher.endAt(boot)
	}
}
