package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// job is the key of a job that a message of the place's host names.
func (to place) job(named schema.JobKey) store.JobKey {
	return store.JobKey{JobKey: named, HostID: to.hostID}
}

// addJobSamples adds what a snapshot's processes tell of their jobs at a wall time, in Unix nanoseconds.
func addJobSamples(to place, wall int64, o *observed) {
	batch, at, calls := to.batch, schema.Timestamp(wall), 0
	for i := range o.seen {
		p := &o.seen[i]
		if p.job.ID == "" {
			continue
		}
		key := to.job(p.job)
		j := batch.JobSamples[key]
		if j == nil {
			j = &store.JobSamples{FirstSeen: at, LastSeen: at}
			batch.JobSamples[key] = j
		}
		j.FirstSeen, j.LastSeen = min(j.FirstSeen, at), max(j.LastSeen, at)
		j.Samples++
		j.CPUMillis = schema.AddSaturated(j.CPUMillis, o.usedCPU[i])
		addJobPID(batch, key, o.rows[i])
		for _, call := range p.calls {
			batch.JobSyscalls = append(batch.JobSyscalls, store.JobSyscall{JobKey: key, Syscall: call, Wall: wall, Rank: calls})
			calls++
		}
		if p.sheet.Known {
			addStepSample(batch, store.StepKey{JobKey: key, Sheet: p.sheet.V}, p, o.usedCPU[i])
		}
		schema.Raise(&j.PeakRSS, p.rss)
		schema.Raise(&j.MaxCPU, p.cpu)
	}
}

func addStepSample(batch *store.Batch, key store.StepKey, p *sighting, usedCPU int64) {
	s := batch.StepSamples[key]
	if s == nil {
		s = new(store.StepSamples)
		batch.StepSamples[key] = s
	}
	s.CPUMillis = schema.AddSaturated(s.CPUMillis, usedCPU)
	schema.Raise(&s.PeakRSS, p.rss)
	schema.Raise(&s.MaxCPU, p.cpu)
}

// addJobPID adds a pid that the job may not have had before. Only a row that is new can bring one, or a late snapshot, in
// which the process was in another job than the row says.
func addJobPID(batch *store.Batch, job store.JobKey, row *store.Process) {
	if job.JobKey == row.Job {
		if row.Stored || row.Counted {
			return
		}
		row.Counted = true
	}
	batch.JobPIDs = append(batch.JobPIDs, store.JobPID{JobKey: job, PID: row.PID})
}

// addRunRecord adds the record of a run. The subject says whose job it is, as it does of job events.
func addRunRecord(to place, m *schema.Message) {
	job := to.job(schema.JobKey{ID: m.Run.JobID, Fleet: m.Host == schema.Fleet})
	to.batch.RunRecords = append(to.batch.RunRecords, store.RunRecord{ID: to.rowID, Job: job, Record: m.Seq, RunRecord: m.Run})
}

// addJobEvents adds what a conductor said of its jobs. The subject alone says whose they are: the host's own, or the fleet's,
// which no host's key can publish.
func addJobEvents(to place, m *schema.Message) {
	for i := range m.Jobs {
		e := &m.Jobs[i]
		job := to.job(schema.JobKey{ID: e.JobID, Fleet: m.Host == schema.Fleet})
		to.batch.JobEvents = append(to.batch.JobEvents, store.JobEvent{ID: to.rowID<<itemBits | int64(i), Job: job, Message: m, Item: uint64(i), JobEvent: e})
	}
}
