package projector

import (
	"fmt"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// eventBits leaves room for the events of one message behind its id: MaxEvents is below 2^10.
const eventBits = 10

// applyEvents stores the lifecycle events of a message.
func (f *fold) applyEvents(pos *position, d *delivery) error {
	m := d.msg
	hostID, err := f.host(m.Host)
	if err != nil {
		return err
	}
	counts := map[string]*eventCounts{}
	for i := range m.Events {
		e := &m.Events[i]
		id := pos.id(d.seq)<<eventBits | int64(i)
		if err := f.insertEvent(id, hostID, m, e, m.Seq+uint64(i)); err != nil {
			return fmt.Errorf("store %s of process %d: %w", m.Kind, e.PID, err)
		}
		if f.events != nil {
			f.events.Append(func(b []byte) []byte { return ndjson.AppendEvent(b, m, e) })
		}
		if e.JobID != "" {
			if counts[e.JobID] == nil {
				counts[e.JobID] = new(eventCounts)
			}
			counts[e.JobID].add(m.Kind, e)
		}
	}
	f.stats.Events += uint64(len(m.Events))
	return f.countJobEvents(counts)
}

func (f *fold) insertEvent(id, hostID int64, m *schema.Message, e *schema.Event, number uint64) error {
	_, err := f.db.exec(`INSERT OR ROLLBACK INTO process_events(id, timestamp, pid, event_type, exit_code, signal_num,
		job_id, sheet_num, details, host_id, boot_id, boot_ns, start_ticks, ppid, uid, command, core, cpu_ms, peak_rss_kib,
		read_kib, write_kib, lifetime_ms, source, instance, seq)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, schema.Timestamp(e.Wall), e.PID, m.Kind.EventType(), nullable(e.ExitCode), nullable(e.Signal), nullText(e.JobID),
		nullable(e.Sheet), e.Details, hostID, m.BootID, e.Boot, int64(e.StartTicks), nullable(e.PPID), nullable(e.UID), e.Command,
		e.Core, nullable(e.CPUMillis), nullable(e.PeakRSS), nullable(e.ReadKiB), nullable(e.WriteKiB), nullable(e.Lifetime),
		e.Source, m.Instance.String(), int64(number))
	return err
}

// eventCounts is what a message's events add to a job's row.
type eventCounts struct {
	spawns, exits, signals, ooms int64
	first, last                  float64
}

func (c *eventCounts) add(kind schema.Kind, e *schema.Event) {
	at := schema.Timestamp(e.Wall)
	if c.first == 0 || at < c.first {
		c.first = at
	}
	c.last = max(c.last, at)
	switch kind {
	case schema.KindSpawn:
		c.spawns++
	case schema.KindExit:
		c.exits++
	case schema.KindSignal, schema.KindKill:
		c.signals++
	case schema.KindOOM:
		c.ooms++
	}
}

func (f *fold) countJobEvents(counts map[string]*eventCounts) error {
	for job, c := range counts {
		if _, err := f.db.exec(`INSERT INTO jobs(job_id, spawns, exits, signals, ooms, first_event, last_event)
			VALUES (?,?,?,?,?,?,?) ON CONFLICT(job_id) DO UPDATE SET spawns=spawns+excluded.spawns, exits=exits+excluded.exits,
			signals=signals+excluded.signals, ooms=ooms+excluded.ooms,
			first_event=min(coalesce(first_event, excluded.first_event), excluded.first_event),
			last_event=max(coalesce(last_event, excluded.last_event), excluded.last_event)`,
			job, c.spawns, c.exits, c.signals, c.ooms, c.first, c.last); err != nil {
			return fmt.Errorf("store job %q: %w", job, err)
		}
	}
	return nil
}
