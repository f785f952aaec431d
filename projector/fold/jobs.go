package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// addJobSamples adds what a snapshot's processes tell of their jobs. rows and usedCPU are beside the processes.
func addJobSamples(batch *store.Batch, m *schema.Message, rows []*store.Process, usedCPU []int64) {
	at := schema.Timestamp(m.Wall)
	for i := range m.Snapshot.Processes {
		p := &m.Snapshot.Processes[i]
		if p.JobID == "" {
			continue
		}
		j := batch.JobSamples[p.JobID]
		if j == nil {
			j = &store.JobSamples{FirstSeen: at, LastSeen: at}
			batch.JobSamples[p.JobID] = j
		}
		j.FirstSeen, j.LastSeen = min(j.FirstSeen, at), max(j.LastSeen, at)
		j.Samples++
		j.CPUMillis += usedCPU[i]
		addJobPID(batch, p.JobID, rows[i])
		for c := range p.Syscalls {
			batch.JobSyscalls = append(batch.JobSyscalls, store.JobSyscall{JobID: p.JobID, Syscall: &p.Syscalls[c]})
		}
		if p.Sheet.Known {
			addStepSample(batch, p, usedCPU[i])
		}
		schema.Raise(&j.PeakRSS, p.RSS)
		schema.Raise(&j.MaxCPU, p.CPUPermille)
	}
}

func addStepSample(batch *store.Batch, p *schema.Process, usedCPU int64) {
	key := store.StepKey{JobID: p.JobID, Sheet: p.Sheet.V}
	s := batch.StepSamples[key]
	if s == nil {
		s = new(store.StepSamples)
		batch.StepSamples[key] = s
	}
	s.CPUMillis += usedCPU
	schema.Raise(&s.PeakRSS, p.RSS)
	schema.Raise(&s.MaxCPU, p.CPUPermille)
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
