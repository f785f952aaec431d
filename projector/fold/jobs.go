package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// addJobSamples adds what a snapshot's processes tell of their jobs at a Unix time.
func addJobSamples(batch *store.Batch, at float64, o *observed) {
	for i := range o.seen {
		p := &o.seen[i]
		if p.job == "" {
			continue
		}
		j := batch.JobSamples[p.job]
		if j == nil {
			j = &store.JobSamples{FirstSeen: at, LastSeen: at}
			batch.JobSamples[p.job] = j
		}
		j.FirstSeen, j.LastSeen = min(j.FirstSeen, at), max(j.LastSeen, at)
		j.Samples++
		j.CPUMillis += o.usedCPU[i]
		addJobPID(batch, p.job, o.rows[i])
		for _, call := range p.calls {
			batch.JobSyscalls = append(batch.JobSyscalls, store.JobSyscall{JobID: p.job, Syscall: call})
		}
		if p.sheet.Known {
			addStepSample(batch, p, o.usedCPU[i])
		}
		schema.Raise(&j.PeakRSS, p.rss)
		schema.Raise(&j.MaxCPU, p.cpu)
	}
}

func addStepSample(batch *store.Batch, p *sighting, usedCPU int64) {
	key := store.StepKey{JobID: p.job, Sheet: p.sheet.V}
	s := batch.StepSamples[key]
	if s == nil {
		s = new(store.StepSamples)
		batch.StepSamples[key] = s
	}
	s.CPUMillis += usedCPU
	schema.Raise(&s.PeakRSS, p.rss)
	schema.Raise(&s.MaxCPU, p.cpu)
}

// addJobPID adds a pid that the job may not have had before. Only a row that is new can bring one, or a late snapshot, in
// which the process was in another job than the row says.
func addJobPID(batch *store.Batch, job string, row *store.Process) {
	if job == row.JobID {
		if row.Stored || row.Counted {
			return
		}
		row.Counted = true
	}
	batch.JobPIDs = append(batch.JobPIDs, store.JobPID{JobID: job, PID: row.PID})
}

// addJobEvents adds what a conductor said of its jobs.
func addJobEvents(to place, m *schema.Message) {
	for i := range m.Jobs {
		to.batch.JobEvents = append(to.batch.JobEvents, store.JobEvent{ID: to.rowID<<itemBits | int64(i), HostID: to.hostID, Message: m, JobEvent: &m.Jobs[i]})
	}
}
