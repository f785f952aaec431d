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
		f.eventRows = append(f.eventRows, eventRow{pos.id(d.seq)<<eventBits | int64(i), hostID, m, e, m.Seq + uint64(i)})
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

// eventCounts is what a message's events add to a job's row.
type eventCounts struct {
	spawns, exits, signals, ooms int64
	cpu                          int64 // milliseconds that no snapshot has
	peak                         schema.Opt[int64]
	first, last                  float64
	sheets                       map[int64]*sheetDelta
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
		c.addExit(e)
	case schema.KindSignal, schema.KindKill:
		c.signals++
	case schema.KindOOM:
		c.ooms++
	}
}

// addExit adds what an exit tells and no snapshot has.
func (c *eventCounts) addExit(e *schema.Event) {
	var cpu int64
	if e.CPUMillis.Known && e.SampledCPU.Known {
		cpu = max(0, e.CPUMillis.V-e.SampledCPU.V)
	}
	c.cpu += cpu
	raise(&c.peak, e.PeakRSS)
	if !e.Sheet.Known || cpu == 0 && !e.PeakRSS.Known {
		return
	}
	if c.sheets == nil {
		c.sheets = map[int64]*sheetDelta{}
	}
	s := c.sheets[e.Sheet.V]
	if s == nil {
		s = new(sheetDelta)
		c.sheets[e.Sheet.V] = s
	}
	s.cpuMillis += cpu
	raise(&s.peakRSS, e.PeakRSS)
}

func (f *fold) countJobEvents(counts map[string]*eventCounts) error {
	for job, c := range counts {
		if err := f.countEventsOf(job, c); err != nil {
			return fmt.Errorf("store job %q: %w", job, err)
		}
	}
	return nil
}

func (f *fold) countEventsOf(job string, c *eventCounts) error {
	if _, err := f.db.exec(`INSERT INTO jobs(job_id, spawns, exits, signals, ooms, exit_cpu_ms, exit_peak_rss_kib, first_event, last_event)
		VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT(job_id) DO UPDATE SET spawns=spawns+excluded.spawns, exits=exits+excluded.exits,
		signals=signals+excluded.signals, ooms=ooms+excluded.ooms, exit_cpu_ms=exit_cpu_ms+excluded.exit_cpu_ms,
		exit_peak_rss_kib=nullif(max(coalesce(exit_peak_rss_kib,-1), coalesce(excluded.exit_peak_rss_kib,-1)), -1),
		first_event=min(coalesce(first_event, excluded.first_event), excluded.first_event),
		last_event=max(coalesce(last_event, excluded.last_event), excluded.last_event)`,
		job, c.spawns, c.exits, c.signals, c.ooms, c.cpu, nullable(c.peak), c.first, c.last); err != nil {
		return err
	}
	for sheet, s := range c.sheets {
		if _, err := f.db.exec(`INSERT INTO job_sheets(job_id, sheet_num, exit_cpu_ms, exit_peak_rss_kib) VALUES (?,?,?,?)
			ON CONFLICT(job_id, sheet_num) DO UPDATE SET exit_cpu_ms=exit_cpu_ms+excluded.exit_cpu_ms,
			exit_peak_rss_kib=nullif(max(coalesce(exit_peak_rss_kib,-1), coalesce(excluded.exit_peak_rss_kib,-1)), -1)`,
			job, sheet, s.cpuMillis, nullable(s.peakRSS)); err != nil {
			return err
		}
	}
	return nil
}
