package query

import (
	"context"
	"database/sql"
)

// readBars reads the lives that have bars, from the longest class to the shortest, until there are enough.
func (r *laneReader) readBars(ctx context.Context, db *DB) error {
	for class := openClass; class >= r.shortest; class-- {
		where, args := r.where(class)
		var n int64
		err := each(ctx, db.db, `SELECT count(*) FROM lives l WHERE `+where, args, func(rows *sql.Rows) error { return rows.Scan(&n) })
		if err != nil {
			return err
		}
		r.Total += n
		if n = min(n, mostBars-r.Shown); n == 0 {
			continue
		}
		r.Shown += n
		err = each(ctx, db.db, `SELECT h.name, l.job_id, l.fleet, l.sheet_num, l.start_ms / 1000.0, CASE WHEN e.event_type = 'exit' THEN e.timestamp ELSE l.end_ms / 1000.0 END,
			l.class = 31 AND coalesce(l.boot_id = o.boot_id, 1), e.within_ms / 1000.0, l.lane, l.class, l.pid, coalesce(e.boot_id, l.boot_id, ''), coalesce(e.start_ticks, l.start_ticks, 0),
			coalesce(e.command, ''), e.exit_code, e.signal_num, CASE WHEN e.signal_num = 9 THEN EXISTS (SELECT 1 FROM process_events k WHERE k.pid = e.pid AND k.event_type = 'oom'
				AND k.host_id = e.host_id AND k.boot_id = e.boot_id AND k.start_ticks = e.start_ticks) ELSE 0 END, e.cpu_ms / 1000.0, e.peak_rss_kib / 1024.0
			FROM (SELECT * FROM lives l WHERE `+where+` ORDER BY coalesce(end_ms, 9e18) - start_ms DESC, start_ms, first_event LIMIT ?) l
			JOIN hosts h ON h.id = l.host_id LEFT JOIN process_events e ON e.id = l.event_id LEFT JOIN rosters o ON o.host_id = l.host_id`, append(args, n), r.scanBar)
		if err != nil {
			return err
		}
	}
	return nil
}

// scanBar adds a bar.
func (r *laneReader) scanBar(rows *sql.Rows) (err error) {
	var b LifeBar
	b.Group, err = r.scanGroup(rows, &b.Start, &b.End, &b.Alive, &b.Within, &b.Row, &b.Class, &b.PID, &b.BootID, &b.StartTicks, &b.Command, &b.ExitCode, &b.Signal, &b.OOM,
		&b.CPUSeconds, &b.PeakRSS)
	r.add(b)
	return err
}

func (r *laneReader) add(b LifeBar) {
	g := &r.Groups[b.Group]
	b.Row = max(b.Row, 0) // it began just now
	g.Rows = max(g.Rows, b.Row+1)
	r.Bars = append(r.Bars, b)
}

// readUntold adds the processes of which snapshots know that they live and no start was told. SQLite finds one value in a list by an index, and a pair
// by a look at all of it.
func (r *laneReader) readUntold(ctx context.Context, db *DB) error {
	where, args := r.picked("p")
	return each(ctx, db.db, `SELECT h.name, coalesce(p.job_id, ''), p.fleet, coalesce(p.sheet_num, -1), (o.wall_ns - o.boot_ns) / 1e9 + p.start_ticks / 100.0, p.pid, p.boot_id, p.start_ticks,
		coalesce(p.command, ''), coalesce((SELECT max(lane) + 1 FROM lanes l WHERE (l.host_id, l.job_id, l.fleet, l.sheet_num) = (p.host_id, coalesce(p.job_id, ''), p.fleet, coalesce(p.sheet_num, -1))), 0)
			+ row_number() OVER (PARTITION BY p.host_id, p.job_id, p.fleet, p.sheet_num ORDER BY p.start_ticks, p.pid) - 1
		FROM processes p JOIN hosts h ON h.id = p.host_id JOIN rosters o ON o.host_id = p.host_id WHERE p.last_snapshot = 4611686018427387904 AND p.boot_id = o.boot_id
		AND p.host_id || ' ' || p.pid NOT IN (SELECT l.host_id || ' ' || l.pid FROM lives l WHERE l.class = 31 AND l.host_id IN (SELECT id FROM hosts))`+where, args, r.scanUntold)
}

// scanUntold adds such a process.
func (r *laneReader) scanUntold(rows *sql.Rows) (err error) {
	b, k := LifeBar{Alive: true, Class: openClass}, laneKey{}
	err = rows.Scan(&k.host, &k.job, &k.fleet, &k.sheet, &b.Start, &b.PID, &b.BootID, &b.StartTicks, &b.Command, &b.Row)
	if err != nil || b.Start >= r.filter.Until {
		return err
	}
	r.Total++
	if r.Shown < mostBars {
		r.Shown++
		b.Group = r.group(k)
		r.add(b)
	}
	return nil
}
