package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// addEvents adds the lifecycle events of a message, and what they tell of jobs.
func addEvents(to place, m *schema.Message) {
	for i := range m.Events {
		e := &m.Events[i]
		to.batch.Events = append(to.batch.Events, store.Event{ID: to.rowID<<itemBits | int64(i), HostID: to.hostID, Message: m, Event: e, Seq: m.Seq + uint64(i)})
		if e.JobID != "" {
			countEvent(to, m.Kind, e)
		}
	}
	to.batch.Stats.Events += uint64(len(m.Events))
}

// addExecs adds the execs of a message. They count for no job: a job's figures are those of the five event types.
func addExecs(to place, m *schema.Message) {
	for i := range m.Execs {
		to.batch.Execs = append(to.batch.Execs, store.Exec{ID: to.rowID<<itemBits | int64(i), HostID: to.hostID, Message: m, Exec: &m.Execs[i], Seq: m.Seq + uint64(i)})
	}
}

// countEvent adds an event to the counts of its job.
func countEvent(to place, kind schema.Kind, e *schema.Event) {
	at, key := schema.Timestamp(e.Wall), to.job(schema.JobKey{ID: e.JobID, Fleet: e.Fleet})
	c := to.batch.JobCounts[key]
	if c == nil {
		c = &store.JobCounts{First: at}
		to.batch.JobCounts[key] = c
	}
	c.First, c.Last = min(c.First, at), max(c.Last, at)
	switch kind {
	case schema.KindSpawn:
		c.Spawns++
	case schema.KindExit:
		c.Exits++
		countExit(to.batch, c, key, e)
	case schema.KindSignal, schema.KindKill:
		c.Signals++
	case schema.KindOOM:
		c.OOMs++
	}
}

// countExit adds what an exit tells and no snapshot has.
func countExit(batch *store.Batch, c *store.JobCounts, job store.JobKey, e *schema.Event) {
	var cpu int64
	if e.CPUMillis.Known && e.SampledCPU.Known {
		cpu = max(0, e.CPUMillis.V-e.SampledCPU.V)
	}
	c.CPUMillis = schema.AddSaturated(c.CPUMillis, cpu)
	schema.Raise(&c.PeakRSS, e.PeakRSS)
	if !e.Sheet.Known || cpu == 0 && !e.PeakRSS.Known {
		return
	}
	key := store.StepKey{JobKey: job, Sheet: e.Sheet.V}
	s := batch.StepCounts[key]
	if s == nil {
		s = new(store.StepCounts)
		batch.StepCounts[key] = s
	}
	s.CPUMillis = schema.AddSaturated(s.CPUMillis, cpu)
	schema.Raise(&s.PeakRSS, e.PeakRSS)
}

// addGaps adds the gaps that a producer itself knows of.
func addGaps(to place, m *schema.Message) {
	for i := range m.Gaps {
		g := &m.Gaps[i]
		to.gap(store.Gap{Kind: g.Kind, Host: m.Host, Count: g.Count, From: g.FromWall, To: g.ToWall, Details: g.Details})
	}
}
