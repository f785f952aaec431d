package jobs

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/schema"
)

// undeclaredPatience is how long a run that nobody declares goes on without a process, in nanoseconds: CI systems start the steps of a job one
// after another.
const undeclaredPatience = 10e9

// begin begins the run that a process is the first of, if nobody else declares the runs of its job, and the step.
func (o *openRuns) begin(m *member) {
	owner := &m.owner
	if !owner.undeclared || owner.Fleet {
		return
	}
	r := o.undeclared[owner.Job]
	if r == nil {
		if o.latest(owner.Job) != nil {
			return
		}
		r = &openRun{job: owner.Job, id: schema.NewRunID(), root: m.pid, start: m.start, undeclared: true}
		o.add(r)
	}
	if owner.Sheet.Known && r.steps[owner.Sheet.V] == nil {
		if r.steps == nil {
			r.steps = map[int64]*openStep{}
		}
		r.steps[owner.Sheet.V] = &openStep{}
	}
}

// declare returns the starts of the runs that nobody declares, and of their steps, that were not told yet.
func (o *openRuns) declare(wall, boot int64, tree *processTree) (starts []schema.JobEvent) {
	for _, r := range o.undeclared {
		var first *member
		for _, m := range tree.members {
			if m.owner.key() == hostJob(r.job) && m.start > 0 && (first == nil || m.start < first.start) {
				first = m
			}
		}
		if r.declared == 0 {
			if first != nil && first.start < r.start && !r.exit.Known {
				r.root, r.start = first.pid, first.start
			}
			r.declared = startedAt(r.start, wall, boot)
			r.told = r.declared
			starts = append(starts, schema.JobEvent{Type: schema.JobDeclared, Wall: r.declared, JobID: r.job, Run: r.id, PID: schema.Some(int64(r.root)),
				StartTicks: r.start, Inferred: true, Status: "running"})
		}
		for sheet, s := range r.steps {
			if s.began != 0 {
				continue
			}
			s.began = wall
			if m := tree.firstOfStep(hostJob(r.job), sheet); m != nil {
				s.began = startedAt(m.start, wall, boot)
			}
			starts = append(starts, r.ofStep(schema.JobSheetStarted, sheet, s.began))
		}
	}
	slices.SortFunc(starts, func(a, b schema.JobEvent) int {
		return cmp.Or(cmp.Compare(a.Wall, b.Wall), cmp.Compare(a.JobID, b.JobID), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Sheet.V, b.Sheet.V))
	})
	return starts
}

// ofStep is an event of a step of a run that nobody declares.
func (r *openRun) ofStep(what schema.JobEventType, sheet, wall int64) schema.JobEvent {
	return schema.JobEvent{Type: what, Wall: wall, JobID: r.job, Run: r.id, Sheet: schema.Some(sheet), Inferred: true}
}

// startedAt is the wall time of a start, in ticks, seen from a moment. 0 is an unknown start, and then it is the moment.
func startedAt(start uint64, wall, boot int64) int64 {
	if start == 0 || boot == 0 {
		return wall
	}
	return min(wall, wall-(boot-int64(start)*nsPerTick))
}

// concludeUndeclared returns the ends of steps, and of the run, that have no process any more. final says that no scan follows.
func (o *openRuns) concludeUndeclared(r *openRun, wall int64, final bool, tree *processTree) (ends []schema.JobEvent) {
	alive, steps := tree.livesOf(hostJob(r.job))
	for sheet, s := range r.steps {
		switch {
		case steps[sheet]:
			s.missing = 0
			continue
		case s.missing == 0:
			s.missing = wall
		}
		if final || wall-s.missing >= runPatience {
			ends = append(ends, r.ofStep(schema.JobSheetEnded, sheet, max(s.began, cmp.Or(s.last, s.missing))))
			delete(r.steps, sheet)
		}
	}
	switch {
	case alive:
		r.alive, r.missing = wall, 0
		return ends
	case r.missing == 0:
		r.missing = wall
	}
	if !final && wall-r.missing < undeclaredPatience {
		return ends
	}
	o.remove(r)
	return append(ends, r.concluded())
}
