package query

import (
	"context"
	"database/sql"
)

// addEvents adds what starts and ends say: how many processes were started, and what those that ended used after their last sample.
func (g *grouping) addEvents(ctx context.Context, db *DB, f *Filter) error {
	query, args := Range{Since: f.Since, Until: f.Until, Host: f.Host}.page(ofRows, `SELECT t.host_id, t.boot_id, t.pid, t.start_ticks, t.event_type = 'spawn',
		coalesce(t.ppid, 0), coalesce(t.command, ''), t.uid, t.job_id, t.fleet, t.sheet_num, t.peak_rss_kib, t.cpu_ms, t.read_kib, t.write_kib, t.sampled_cpu_ms
		FROM process_events t`, ` AND t.event_type IN ('spawn', 'exit')`)
	names, err := collect(ctx, db, `SELECT id, name FROM hosts`, nil, func(r *sql.Rows, h *hostRow) error { return r.Scan(&h.id, &h.name) })
	if err != nil {
		return err
	}
	hosts := make(map[int64]string, len(names))
	for _, h := range names {
		hosts[h.id] = h.name
	}
	byPID := map[[2]int64]life{} // who has a pid of a host now
	for of := range g.seen {
		if old, ok := byPID[[2]int64{of.hostID, of.pid}]; !ok || old.start > of.start {
			byPID[[2]int64{of.hostID, of.pid}] = of
		}
	}
	var v [16]any
	into := make([]any, len(v))
	for i := range v {
		into[i] = &v[i]
	}
	boots := texts{}
	return each(ctx, db.db, query, args, func(r *sql.Rows) error {
		if err := r.Scan(into...); err != nil {
			return err
		}
		of := life{integerOf(v[0]), boots.of(textOf(v[1])), integerOf(v[2]), integerOf(v[3])}
		p := Process{PID: of.pid, StartTicks: of.start, PPID: integerOf(v[5]), Command: textOf(v[6]), UID: optionalOf[int64](v[7]), JobID: optionalOf[string](v[8]),
			Fleet: integerOf(v[9]) != 0, Sheet: optionalOf[int64](v[10])}
		host, end := hosts[of.hostID], countersOf(&[8]any{v[11], v[12], v[13], v[14]}) // the others stay unknown
		if integerOf(v[4]) != 0 {                                                      // a start
			g.name(of.hostID, of.pid, p.Command)
			byPID[[2]int64{of.hostID, of.pid}] = of
			g.addSpawn(host, of, &p, byPID)
			return nil
		}
		g.addExit(host, of, &p, &end, integerOf(v[15]))
		return nil
	})
}

// addSpawn counts a start: for lines about processes and parents, of whoever started it.
func (g *grouping) addSpawn(host string, of life, p *Process, byPID map[[2]int64]life) {
	if g.by != "process" {
		if g.filter.picks(p) {
			g.row(host, of, p, p.PPID).Forks++
		}
		return
	}
	parent, known := byPID[[2]int64{of.hostID, p.PPID}]
	if s := g.seen[parent]; known && s != nil && s.row != nil {
		s.row.Forks++
	}
}

// addExit adds what a process used after its last sample, or in all its life when it has none.
func (g *grouping) addExit(host string, of life, p *Process, end *counters, sampled int64) {
	s := g.seen[of]
	if s == nil {
		if !g.filter.picks(p) {
			return
		}
		zero := sql.Null[int64]{Valid: true}
		s = &seenLife{row: g.row(host, of, p, p.PPID), last: counters{cpu: sql.Null[int64]{V: sampled, Valid: true}, read: zero, write: zero}}
		s.row.Processes++
		s.row.Memory += float64(end.rss.V) / 1024
	}
	if s.before != nil && g.filter.picks(s.before) {
		s.row, s.before = g.row(host, of, s.before, s.before.PPID), nil
		s.row.Processes++
		s.row.Memory += float64(s.last.rss.V) / 1024
	}
	if s.row == nil {
		return
	}
	if used := rise(s.last.cpu, end.cpu, 1000); used != nil {
		s.row.CPUSeconds += *used
	}
	s.row.Read, s.row.Write = plus(s.row.Read, rise(s.last.read, end.read, 1024)), plus(s.row.Write, rise(s.last.write, end.write, 1024))
}

// addMinutes adds what rollups say of the minutes that have left full resolution, and reports whether there are any.
func (g *grouping) addMinutes(ctx context.Context, db *DB, f *Filter) (bool, error) {
	found := false
	query := `SELECT ` + processColumns + `, h.name, p.host_id, p.boot_id, total(m.cpu_mean) * 0.06, max(coalesce(m.rss_max, 0)) / 1024.0,
		min(m.read_kib), max(m.read_kib), min(m.write_kib), max(m.write_kib), min(m.minor_faults), max(m.minor_faults), min(m.major_faults), max(m.major_faults),
		min(m.sent_kib), max(m.sent_kib), min(m.received_kib), max(m.received_kib)
		FROM rollups t CROSS JOIN process_rollups m ON m.rollup_id = t.id CROSS JOIN rollup_processes p ON p.id = m.process_id JOIN hosts h ON h.id = t.host_id
		WHERE t.timestamp >= ? AND t.timestamp < ? AND (? = '' OR h.name = ?)` + withoutSnapshots + ` GROUP BY m.process_id`
	until := f.Until
	if until == 0 {
		until = 9e99
	}
	err := each(ctx, db.db, query, []any{f.Since, until, f.Host, f.Host}, func(r *sql.Rows) error {
		found = true
		var id int64
		var host string
		var of life
		var from, to [8]any
		p := new(Process)
		u := Usage{Processes: 1}
		err := scanProcess(r, &id, p, &host, &of.hostID, &of.boot, &u.CPUSeconds, &u.Memory, &from[2], &to[2], &from[3], &to[3],
			&from[4], &to[4], &from[5], &to[5], &from[6], &to[6], &from[7], &to[7])
		if err != nil || !g.filter.picks(p) {
			return err
		}
		of.pid, of.start = p.PID, p.StartTicks
		u.setRises(countersOf(&from), countersOf(&to))
		if g.seen[of] != nil {
			u.Processes = 0
		}
		g.row(host, of, p, p.PPID).add(u)
		return nil
	})
	return found, err
}

// texts are texts that come again and again, each kept once.
type texts map[string]string

func (t texts) of(text string) string {
	s, known := t[text]
	if !known {
		s = text
		t[s] = s
	}
	return s
}
