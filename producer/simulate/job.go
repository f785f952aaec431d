package simulate

import (
	"fmt"

	"github.com/proctape/proctape/schema"
)

// startJob makes a new job of j, with no step yet. Its name holds some of the boot id: jobs are known by their names alone.
func (h *Host) startJob(j *job) {
	h.jobsBegun++
	j.name = fmt.Sprintf("sim-%s-%04d-%.4s-%d", j.kind.name, h.index+1, h.bootID, h.jobsBegun)
	j.cgroup = "/system.slice/proctape-" + j.name + ".scope"
	j.sheet, j.of = 0, 2+h.random.Int64N(7)
}

// startSheet is the next step of a job.
func (h *Host) startSheet(j *job) {
	j.sheet++
	j.left = 5 + h.random.IntN(40)
}

// endSheet ends the step that runs, and with it all the step's processes; after the last step, or one that failed, the
// whole job. The next step, or job, begins at once.
func (h *Host) endSheet(j *job, at int64) {
	failed := h.random.IntN(12) == 0
	over := failed || j.sheet == j.of
	first := j.first
	if !over {
		first++ // the root goes on
	}
	for i := first; i < j.last; i++ {
		h.exit(i, at)
	}
	h.addJobEvent(j, schema.JobSheetEnded, at, failed)
	if over {
		h.addJobEvent(j, schema.JobEnded, at, failed)
		h.startJob(j)
	}
	h.startSheet(j)
	for i := first; i < j.last; i++ {
		h.spawn(i, at)
		h.observeSpawn(i, at)
	}
	if over {
		h.addJobEvent(j, schema.JobDeclared, at, false)
	}
	h.addJobEvent(j, schema.JobSheetStarted, at, false)
	h.credit -= float64(j.last - first)
}

// addJobEvent adds an event of a job, as its conductor would publish it.
func (h *Host) addJobEvent(j *job, what schema.JobEventType, at int64, failed bool) {
	root := &h.places[j.first]
	e := schema.JobEvent{Type: what, Wall: h.wallAt(at), JobID: j.name, TotalSheets: schema.Some(j.of),
		LastCompleted: schema.Some(j.sheet - 1), Status: statusRunning}
	switch what {
	case schema.JobDeclared:
		e.PID, e.StartTicks, e.Command = schema.Some(int64(root.pid)), root.start, root.command
	case schema.JobSheetStarted:
		e.Sheet = schema.Some(j.sheet)
	case schema.JobSheetEnded, schema.JobEnded:
		e.Status, e.ExitCode = statusCompleted, schema.Some[int64](0)
		if failed {
			e.Status, e.ExitCode = statusFailed, schema.Some[int64](2)
		} else {
			e.LastCompleted = schema.Some(j.sheet)
		}
		if what == schema.JobSheetEnded {
			e.Sheet = schema.Some(j.sheet)
		}
	}
	h.scratch.jobs = append(h.scratch.jobs, e)
}
