package top

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
)

// addRows adds the processes of a host. Within a hole these are the ones that lived before and after it, without figures.
func addRows(ctx context.Context, d *Database, rows []Row, h *Host) ([]Row, error) {
	if h.Hole != nil {
		return addMissing(ctx, d, rows, h)
	}
	before, err := readBefore(ctx, d, h)
	if err != nil {
		return nil, err
	}
	for i := range h.Processes {
		p := &h.Processes[i]
		r := Row{Host: h.Host, Process: *p}
		if was, known := before.processes[[2]int64{p.PID, p.StartTicks}]; known && before.since > 0 {
			r.ReadRate, r.WriteRate = rate(was.Read, p.Read, before.since), rate(was.Write, p.Write, before.since)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// earlier are the processes of the snapshot before one.
type earlier struct {
	since     float64 // seconds from it to the one
	processes map[[2]int64]*query.Process
}

// readBefore reads the snapshot before a host's, for rates. A minute has none: its counters are of its end.
func readBefore(ctx context.Context, d *Database, h *Host) (earlier, error) {
	e := earlier{}
	if h.Resolution > 0 {
		return e, nil
	}
	moments, err := query.MomentsAt(ctx, d.db, h.Timestamp-1e-3, h.Host)
	if err != nil || len(moments) == 0 || moments[0].Resolution > 0 || h.Timestamp-moments[0].Timestamp > query.HoleFactor*h.Interval {
		return e, err
	}
	m, err := d.processes(ctx, &moments[0])
	if err != nil {
		return e, err
	}
	e.since, e.processes = h.Timestamp-m.Timestamp, make(map[[2]int64]*query.Process, len(m.Processes))
	for i := range m.Processes {
		e.processes[[2]int64{m.Processes[i].PID, m.Processes[i].StartTicks}] = &m.Processes[i]
	}
	return e, nil
}

// rate is by how much a counter rose a second; nil when one end is not known, or it did not rise.
func rate(from, to *float64, seconds float64) *float64 {
	if from == nil || to == nil || *to < *from {
		return nil
	}
	v := (*to - *from) / seconds
	return &v
}

// addMissing adds the processes that lived before and after a hole; of one that goes on, those that lived before it.
func addMissing(ctx context.Context, d *Database, rows []Row, h *Host) ([]Row, error) {
	after := map[[2]int64]bool{}
	if h.Next > 0 {
		moments, err := query.MomentsAt(ctx, d.db, h.Next, h.Host)
		if err != nil {
			return nil, err
		}
		for i := range moments {
			m, err := d.processes(ctx, &moments[i])
			if err != nil {
				return nil, err
			}
			for _, p := range m.Processes {
				after[[2]int64{p.PID, p.StartTicks}] = true
			}
		}
	}
	for i := range h.Processes {
		p := &h.Processes[i]
		if h.Next == 0 || after[[2]int64{p.PID, p.StartTicks}] {
			rows = append(rows, Row{Host: h.Host, Process: *p, Missing: true})
		}
	}
	return rows, nil
}

// addEnds adds what ended shortly before the time, by its exit. An end takes the place of the process's row.
func addEnds(ctx context.Context, d *Database, f *Frame) error {
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.Hole != nil {
			continue
		}
		since := min(h.Timestamp, f.At-max(h.Interval, shortestEnd))
		r := query.Range{Since: since, Until: f.At + 1e-6, Host: h.Host, Limit: 2 * mostEnded, Newest: true}
		ends, err := d.deaths(ctx, query.Filter{Range: r})
		if err != nil {
			return err
		}
		f.Ended += len(ends)
		byID := make(map[ID]int, len(f.Rows))
		for j := range f.Rows {
			byID[f.Rows[j].ID()] = j
		}
		for j := range ends[max(0, len(ends)-mostEnded):] {
			e := &ends[max(0, len(ends)-mostEnded)+j]
			row := Row{Host: e.Host, Process: query.Process{PID: e.PID, StartTicks: e.StartTicks}}
			if k, known := byID[row.ID()]; known {
				f.Rows[k].End = e
				continue
			}
			f.Rows = append(f.Rows, endedRow(e))
		}
	}
	return nil
}

// endedRow is the row of a process of which only its exit is known.
func endedRow(e *query.Event) Row {
	r := Row{Host: e.Host, End: e, Process: query.Process{PID: e.PID, StartTicks: e.StartTicks, Command: e.Command, JobID: e.JobID, Fleet: e.Fleet, Sheet: e.Sheet, UID: e.UID}}
	if e.PPID != nil {
		r.PPID = *e.PPID
	}
	r.Unknown = []string{"cpu_percent", "rss_mb", "vms_mb", "threads", "open_fds", "cpu_seconds", "age_seconds"}
	known := func(key string) {
		r.Unknown = slices.DeleteFunc(r.Unknown, func(k string) bool { return k == key })
	}
	if e.PeakRSS != nil {
		r.RSS = *e.PeakRSS
		known("rss_mb")
	}
	if e.CPUSeconds != nil {
		r.CPUSeconds = *e.CPUSeconds
		known("cpu_seconds")
	}
	if e.Lifetime != nil {
		r.Age = *e.Lifetime
		known("age_seconds")
		if e.CPUSeconds != nil && *e.Lifetime > 0 && e.Within == nil {
			r.CPUPercent = 100 * *e.CPUSeconds / *e.Lifetime
			known("cpu_percent")
		}
	}
	r.Read, r.Write = e.Read, e.Write
	return r
}

// addDeaths adds the last deaths until the time.
func addDeaths(ctx context.Context, d *Database, f *Frame, host string) error {
	r := query.Range{Since: f.At - coveredFor, Until: f.At + 1e-6, Host: host, Limit: 3 * lastDeaths, Newest: true}
	deaths, err := d.deaths(ctx, query.Filter{Range: r, Failed: true})
	f.Deaths = deaths[max(0, len(deaths)-lastDeaths):]
	return err
}
