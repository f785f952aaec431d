package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// otherTellers knows what other producers of a host told of: two samplers may record it under one name.
type otherTellers interface {
	// event reports whether another told of an event. What it did not know is learnt from this one.
	event(to place, m *schema.Message, e *schema.Event) (told bool, err error)
	// exec reports whether another told of an exec.
	exec(to place, m *schema.Message, e *schema.Exec) (told bool, err error)
}

// minutes are what is kept of each minute of hosts, steps and programs.
type minutes interface {
	// event adds a start or an end.
	event(to place, kind schema.Kind, e *schema.Event)
	// snapshot adds a snapshot.
	snapshot(to place, m *schema.Message, o *observed)
}

// lives are the lives of processes, each with a lane of its step.
type lives interface {
	// event begins or ends a life; id is that of the event's row.
	event(to place, m *schema.Message, e *schema.Event, id int64) error
}

// addEvents adds the lifecycle events of a message, and what they tell of jobs, but for those that another producer told of.
func addEvents(to place, m *schema.Message, others otherTellers, minutes minutes, lives lives, rules anomalies) error {
	for i := range m.Events {
		e := &m.Events[i]
		if told, err := others.event(to, m, e); err != nil {
			return err
		} else if told {
			continue
		}
		id := to.rowID<<itemBits | int64(i)
		to.batch.Events = append(to.batch.Events, store.Event{ID: id, HostID: to.hostID, Message: m, Event: e, Seq: m.Seq + uint64(i)})
		if e.JobID != "" {
			countEvent(to, m.Kind, e)
		}
		minutes.event(to, m.Kind, e)
		if err := lives.event(to, m, e, id); err != nil {
			return err
		}
		if err := rules.event(to, m, e); err != nil {
			return err
		}
	}
	to.batch.Stats.Events += uint64(len(m.Events))
	return nil
}

// addExecs adds the execs of a message, but for those that another producer told of. They count for no job: a job's figures are those of
// the five event types.
func addExecs(to place, m *schema.Message, others otherTellers) error {
	for i := range m.Execs {
		e := &m.Execs[i]
		if told, err := others.exec(to, m, e); err != nil {
			return err
		} else if told {
			continue
		}
		to.batch.Execs = append(to.batch.Execs, store.Exec{ID: to.rowID<<itemBits | int64(i), HostID: to.hostID, Message: m, Exec: e, Seq: m.Seq + uint64(i)})
	}
	return nil
}

// countEvent adds an event to the counts of its job.
func countEvent(to place, kind schema.Kind, e *schema.Event) {
	at, key := schema.Timestamp(e.Wall), to.job(schema.JobKey{ID: e.JobID, Fleet: e.Fleet})
	c := counts(to.batch, key, at)
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

// counts are what a batch adds to a job, of which something was told at a Unix time.
func counts(batch *store.Batch, key store.JobKey, at float64) *store.JobCounts {
	c := batch.JobCounts[key]
	if c == nil {
		c = &store.JobCounts{First: at}
		batch.JobCounts[key] = c
	}
	c.First, c.Last = min(c.First, at), max(c.Last, at)
	return c
}

// countExit adds what an exit tells and no snapshot has.
func countExit(batch *store.Batch, c *store.JobCounts, job store.JobKey, e *schema.Event) {
	addExit(batch, c, job, e, restCPU(e))
}

// restCPU is the CPU of a process that ended, in milliseconds, that no snapshot has.
func restCPU(e *schema.Event) int64 {
	if e.CPUMillis.Known && e.SampledCPU.Known {
		return max(0, e.CPUMillis.V-e.SampledCPU.V)
	}
	return 0
}

// recount adds to the counts of a job what is known of an exit now and was not before.
func recount(to place, e, was, now *schema.Event) {
	key := to.job(schema.JobKey{ID: e.JobID, Fleet: e.Fleet})
	c := counts(to.batch, key, schema.Timestamp(e.Wall))
	of := *now
	of.Sheet = e.Sheet
	addExit(to.batch, c, key, &of, restCPU(now)-restCPU(was))
}

// addExit adds CPU of an exit, and its peak, to the counts of a job and of its step.
func addExit(batch *store.Batch, c *store.JobCounts, job store.JobKey, e *schema.Event, cpu int64) {
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
