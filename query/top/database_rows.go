package top

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
)

// rowsOf are the rows of a host's processes. Within a hole these are the ones that lived before and after it, without figures. They belong to the snapshot.
func rowsOf(ctx context.Context, d *Database, s *snapshot, h *Host) ([]Row, error) {
	if h.Hole != nil {
		return missingRows(ctx, d, h)
	}
	before, err := momentBefore(ctx, d, h)
	if err != nil {
		return nil, err
	}
	var id int64
	if before != nil {
		id = before.ID
	}
	d.mu.Lock()
	rows, of := s.rows, s.before
	d.mu.Unlock()
	if rows != nil && of == id {
		return rows, nil
	}
	rows = make([]Row, len(s.Processes))
	for i := range s.Processes {
		rows[i] = Row{Host: h.Host, Process: &s.Processes[i]}
	}
	if before != nil {
		if err := addRates(ctx, d, rows, s, before); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	s.rows, s.before = rows, id
	d.mu.Unlock()
	return rows, nil
}

// momentBefore is the snapshot before a host's, for rates; nil when there is none near. A minute has none: its counters are of its end.
func momentBefore(ctx context.Context, d *Database, h *Host) (*query.HostAt, error) {
	if h.Resolution > 0 {
		return nil, nil
	}
	moments, err := query.MomentsAt(ctx, d.db, h.Timestamp-1e-3, h.Host)
	if err != nil || len(moments) == 0 || moments[0].Resolution > 0 || h.Timestamp-moments[0].Timestamp > query.HoleFactor*h.Interval {
		return nil, err
	}
	return &moments[0], nil
}

// addRates adds by how much the counters of processes rose since the snapshot before.
func addRates(ctx context.Context, d *Database, rows []Row, s *snapshot, before *query.HostAt) error {
	m, err := d.processes(ctx, before)
	if err != nil {
		return err
	}
	type process struct{ pid, start int64 }
	was := make(map[process]*query.Process, len(m.Processes))
	for i := range m.Processes {
		p := &m.Processes[i]
		was[process{p.PID, p.StartTicks}] = p
	}
	for i := range rows {
		r := &rows[i]
		if old := was[process{r.PID, r.StartTicks}]; old != nil {
			since := s.Timestamp - m.Timestamp
			r.ReadRate, r.WriteRate = rate(old.Read, r.Read, since), rate(old.Write, r.Write, since)
			r.NetRate = plus(rate(old.Sent, r.Sent, since), rate(old.Received, r.Received, since))
		}
	}
	return nil
}

// rate is by how much a counter rose a second; nil when one end is not known, or it did not rise.
func rate(from, to *float64, seconds float64) *float64 {
	if from == nil || to == nil || *to < *from {
		return nil
	}
	v := (*to - *from) / seconds
	return &v
}

// missingRows are the processes that lived before and after a hole; of one that goes on, those that lived before it.
func missingRows(ctx context.Context, d *Database, h *Host) ([]Row, error) {
	rows := []Row{}
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
			rows = append(rows, Row{Host: h.Host, Process: p, Missing: true})
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
		joinEnds(f, h.Host, ends[max(0, len(ends)-mostEnded):])
	}
	return nil
}

// joinEnds puts ends of a host into the rows of their processes, and makes rows of those that have none.
func joinEnds(f *Frame, host string, ends []query.Event) {
	byID := make(map[ID]*query.Event, len(ends))
	for i := range ends {
		byID[ID{Host: host, PID: ends[i].PID, Start: ends[i].StartTicks}] = &ends[i]
	}
	for i := range f.Rows {
		r := &f.Rows[i]
		if e := byID[r.ID()]; e != nil && r.Host == host {
			r.End = e
			delete(byID, r.ID())
		}
	}
	for i := range ends {
		if e := &ends[i]; byID[ID{Host: host, PID: e.PID, Start: e.StartTicks}] == e {
			f.Rows = append(f.Rows, endedRow(e))
		}
	}
}

// endedRow is the row of a process of which only its exit is known.
func endedRow(e *query.Event) Row {
	r := Row{Host: e.Host, End: e, Process: &query.Process{PID: e.PID, StartTicks: e.StartTicks, Command: e.Command, JobID: e.JobID, Fleet: e.Fleet, Sheet: e.Sheet, UID: e.UID}}
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
