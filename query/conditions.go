package query

import (
	"context"
	"database/sql"
	"fmt"
)

// Conditions are what a job ran under within a time, as far as snapshots of that time are still there. Nil is not known.
type Conditions struct {
	Hosts []string // on which processes of it were
	// The mean share of time, in percent, in which some tasks of these hosts waited for a CPU, for memory, and for disks.
	CPUPressure, MemoryPressure, IOPressure *float64
	Waited                                  *float64  // seconds that its processes were ready and had no CPU
	Hotspots                                []Hotspot // system calls of those that were traced, the most first
	// Anomalies are the types of the episodes of the job, and of these hosts, that overlap the time, by name. They are known of times that end after the first episode
	// of the recording began; before, nobody may have looked.
	Anomalies      []string
	AnomaliesKnown bool
}

// leastSeen is the share of a time that snapshots must be of, so that their means are told.
const leastSeen = 0.8

// ConditionsOf reads what a job ran under within a time.
func ConditionsOf(ctx context.Context, db *DB, j JobTime) (*Conditions, error) {
	c := &Conditions{Hotspots: []Hotspot{}}
	for _, read := range []func(context.Context, *DB, JobTime) error{c.readHosts, c.readPressure, c.readWaits, c.readHotspots, c.readAnomalies} {
		if err := read(ctx, db, j); err != nil {
			return nil, fmt.Errorf("read what job %q ran under: %w", j.Job, err)
		}
	}
	return c, nil
}

// readHosts reads where a job of the fleet was by the starts and ends of its processes; a host's own job is there.
func (c *Conditions) readHosts(ctx context.Context, db *DB, j JobTime) (err error) {
	if !j.Fleet {
		c.Hosts = []string{j.Host}
		return nil
	}
	where, args := j.ofJob()
	c.Hosts, err = collect(ctx, db, `SELECT DISTINCT h.name FROM process_events t JOIN hosts h ON h.id = t.host_id WHERE`+where+` AND t.timestamp BETWEEN ?4 AND ?5
		ORDER BY h.name`, args, func(r *sql.Rows, name *string) error { return r.Scan(name) })
	return err
}

// readPressure reads the means of the hosts' pressure over their snapshots.
func (c *Conditions) readPressure(ctx context.Context, db *DB, j JobTime) error {
	if len(c.Hosts) == 0 {
		return nil
	}
	args := []any{j.From, j.To}
	for _, h := range c.Hosts {
		args = append(args, h)
	}
	var seen float64
	var cpu, memory, io *float64
	err := db.db.QueryRowContext(ctx, `SELECT total(interval_ns) / 1e9, avg(pressure ->> '$.cpu_some'), avg(pressure ->> '$.memory_some'), avg(pressure ->> '$.io_some')
		FROM snapshots WHERE timestamp BETWEEN ?1 AND ?2 AND host_id IN (SELECT id FROM hosts WHERE name IN (`+placeholders(len(c.Hosts))+`))`, args...).Scan(&seen, &cpu, &memory, &io)
	if seen > 0 && seen >= leastSeen*(j.To-j.From)*float64(len(c.Hosts)) {
		c.CPUPressure, c.MemoryPressure, c.IOPressure = cpu, memory, io
	}
	return err
}

// waitsQuery is how long the processes of a job on a host waited for a CPU between two snapshots, ?6 and ?7, in milliseconds: each by its last sample, less what it
// had waited before.
const waitsQuery = `SELECT sum(waited) FROM (SELECT max(z.run_delay_ms) - coalesce(min(CASE WHEN t.first_snapshot < ?6 THEN a.run_delay_ms END), 0) AS waited
	FROM processes t LEFT JOIN samples z ON z.id = min(t.last_snapshot, ?7) << 22 | t.pid AND z.process_id = t.id
	LEFT JOIN samples a ON a.id = max(t.first_snapshot, ?6) << 22 | t.pid AND a.process_id = t.id
	WHERE%s AND t.host_id = (SELECT id FROM hosts WHERE name = ?8) AND t.last_snapshot >= ?6 AND t.first_snapshot <= ?7 AND ?4 <= ?5
	GROUP BY t.boot_id, t.pid, t.start_ticks)`

// readWaits reads how long processes waited for a CPU, host by host. It is known where snapshots are of the whole time.
func (c *Conditions) readWaits(ctx context.Context, db *DB, j JobTime) error {
	where, args := j.where()
	var sum *float64
	for _, host := range c.Hosts {
		var first, last sql.Null[int64]
		var seen float64
		err := db.db.QueryRowContext(ctx, `SELECT min(id), max(id), total(interval_ns) / 1e9 FROM snapshots WHERE timestamp BETWEEN ? AND ?
			AND host_id = (SELECT id FROM hosts WHERE name = ?)`, j.From, j.To, host).Scan(&first, &last, &seen)
		if err != nil || !first.Valid || seen < leastSeen*(j.To-j.From) {
			return err
		}
		var waited sql.Null[float64]
		err = db.db.QueryRowContext(ctx, fmt.Sprintf(waitsQuery, where), append(args[:5:5], first.V, last.V, host)...).Scan(&waited)
		if err != nil || !waited.Valid {
			return err
		}
		seconds := max(0, waited.V/1000)
		sum = plus(sum, &seconds)
	}
	c.Waited = sum
	return nil
}

// readHotspots reads what system calls took, where any of the job was traced.
func (c *Conditions) readHotspots(ctx context.Context, db *DB, j JobTime) error {
	r := jobSampleReader{db: db, out: &JobSamples{Each: 1}}
	var traced bool
	where, args := j.ofJob()
	err := db.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM job_syscalls t WHERE`+where+` AND ?4 <= ?5)`, args...).Scan(&traced)
	if err != nil || !traced {
		return err
	}
	for _, read := range []func(context.Context, JobTime) error{r.readExtent, r.pick, r.readHotspots} {
		if err := read(ctx, j); err != nil {
			return err
		}
	}
	c.Hotspots = append(c.Hotspots, r.out.Hotspots...)
	return nil
}

// readAnomalies reads which episodes of the job and of its hosts overlap the time.
func (c *Conditions) readAnomalies(ctx context.Context, db *DB, j JobTime) (err error) {
	err = db.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM anomalies WHERE started <= ?)`, j.To).Scan(&c.AnomaliesKnown)
	if err != nil || !c.AnomaliesKnown {
		return err
	}
	where, args := j.ofJob()
	for _, h := range c.Hosts {
		args = append(args, h)
	}
	c.Anomalies, err = collect(ctx, db, `SELECT DISTINCT type FROM anomalies t WHERE t.started <= ?5 AND t.last_seen >= ?4 AND (`+where+`
		OR t.subject = 'host' AND t.host_id IN (SELECT id FROM hosts WHERE name IN (`+placeholders(len(c.Hosts))+`))) ORDER BY type`, args,
		func(r *sql.Rows, name *string) error { return r.Scan(name) })
	return err
}

// Dominant is the system call that took more than a share of the time that is known of all of them; empty when none did.
func (c *Conditions) Dominant(share float64) string {
	all := 0.0
	for _, h := range c.Hotspots {
		all += h.Time
	}
	if len(c.Hotspots) > 0 && c.Hotspots[0].Time > share*all {
		return c.Hotspots[0].Name
	}
	return ""
}
