package jobs

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/schema"
)

// maxJobs bounds the jobs that are followed at a time: whoever may write to the log may declare jobs, and not all of them
// are ever said to have ended. The jobs with the latest events stay.
const maxJobs = 1000

// progress holds how far each job is that has not ended. The zero value holds none.
type progress struct {
	jobs   map[schema.JobKey]*jobState
	events int64 // job events so far
}

// jobState is what job events said of a job that has not ended.
type jobState struct {
	schema.JobProgress
	lastEvent int64 // number of the last event of the job
}

// apply brings the progress of the event's job up to date.
func (p *progress) apply(key schema.JobKey, e *schema.JobEvent) {
	if e.Type == schema.JobEnded {
		delete(p.jobs, key)
		return
	}
	j := p.jobs[key]
	if j == nil {
		j = p.add(key)
	}
	p.events++
	j.lastEvent = p.events
	j.apply(e)
}

// add begins to follow a job, in the place of the one whose last event is the oldest when there are too many.
func (p *progress) add(key schema.JobKey) *jobState {
	if len(p.jobs) >= maxJobs {
		p.dropOldest()
	}
	if p.jobs == nil {
		p.jobs = map[schema.JobKey]*jobState{}
	}
	j := &jobState{JobProgress: schema.JobProgress{JobID: key.ID, Fleet: key.Fleet, Status: "running"}}
	p.jobs[key] = j
	return j
}

// dropOldest drops the job whose last event is the oldest. Its processes keep their owner.
func (p *progress) dropOldest() {
	var oldest *jobState
	for _, j := range p.jobs {
		if oldest == nil || j.lastEvent < oldest.lastEvent {
			oldest = j
		}
	}
	delete(p.jobs, schema.JobKey{ID: oldest.JobID, Fleet: oldest.Fleet})
}

// currentSheet is the step that a job is at, if it is known.
func (p *progress) currentSheet(job schema.JobKey) schema.Opt[int64] {
	if j := p.jobs[job]; j != nil {
		return j.CurrentSheet
	}
	return schema.Opt[int64]{}
}

// isOpen reports whether a job was announced and has not ended.
func (p *progress) isOpen(job schema.JobKey) bool { return p.jobs[job] != nil }

// list is the progress of all jobs that are to be shown, by name; nil for none. Of two of one name this host's own stands
// first.
func (p *progress) list(shown func(schema.JobKey) bool) (out []schema.JobProgress) {
	for key, j := range p.jobs {
		if shown(key) {
			out = append(out, j.JobProgress)
		}
	}
	slices.SortFunc(out, func(a, b schema.JobProgress) int {
		if a.JobID == b.JobID && a.Fleet {
			return 1
		}
		return cmp.Or(cmp.Compare(a.JobID, b.JobID), -1)
	})
	return out
}

// apply takes over what an event says.
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
