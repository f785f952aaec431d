package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// JobCoverage returns how much is known of the time of the jobs that a filter picks, on each host that told of them: from when the first of their
// processes started, or somebody said that they did, until they ended. Of one that nobody said has ended it is until the first snapshot
// without it, or else until it was seen last.
func JobCoverage(ctx context.Context, db *DB, f JobFilter) ([]Coverage, error) {
	times, err := jobTimes(ctx, db, f)
	if err != nil {
		return nil, fmt.Errorf("read when job %q ran: %w", f.Name, err)
	}
	covers := []Coverage{}
	for _, t := range times {
		of, err := FullCoverage(ctx, db, Range{Since: t.from, Until: t.to, Host: t.host})
		if err != nil {
			return nil, err
		}
		covers = append(covers, of...)
	}
	return covers, nil
}

// jobTime is when jobs of a name ran on a host.
type jobTime struct {
	hostID int64
	host   string
	stretch
}

// jobTimes are when the jobs of a name ran, host by host.
func jobTimes(ctx context.Context, db *DB, f JobFilter) ([]jobTime, error) {
	host, args := f.ofHost(` AND h.name = ?2`)
	type row struct {
		jobTime
		first, last float64 // snapshots with it
		open        bool
	}
	rows, err := collect(ctx, db, `SELECT h.id, h.name, coalesce(first_seen, 9e99), min(coalesce(first_seen, 9e99), coalesce(first_event, 9e99), coalesce(started, 9e99)),
		coalesce(last_seen, 0), max(coalesce(last_seen, 0), coalesce(last_event, 0), coalesce(ended, 0)), ended IS NULL
		FROM jobs j JOIN hosts h ON h.id = j.host_id WHERE j.job_id = ?1 AND h.name <> '`+schema.Fleet+`'`+host, append([]any{f.Name}, args...),
		func(r *sql.Rows, j *row) error {
			return r.Scan(&j.hostID, &j.host, &j.first, &j.from, &j.last, &j.to, &j.open)
		})
	var times []jobTime
	for i := range rows {
		j := &rows[i]
		if err == nil && j.last > 0 {
			err = widen(ctx, db, f.Name, &j.jobTime, j.first, j.last, j.open)
		}
		if at := slices.IndexFunc(times, func(t jobTime) bool { return t.hostID == j.hostID }); at >= 0 {
			times[at].from, times[at].to = min(times[at].from, j.from), max(times[at].to, j.to)
		} else if j.from < 9e99 && j.to > 0 {
			times = append(times, j.jobTime)
		}
	}
	slices.SortFunc(times, func(a, b jobTime) int { return strings.Compare(a.host, b.host) })
	return times, err
}

// widen moves the beginning of a job's time to when the oldest process of its first snapshot started, and the end of one that is open to the
// first snapshot without it.
func widen(ctx context.Context, db *DB, job string, t *jobTime, first, last float64, open bool) error {
	err := each(ctx, db.db, `SELECT t.timestamp - t.boot_ns / 1e9 + p.start_ticks / 100.0 FROM snapshots t
		CROSS JOIN samples m ON m.id BETWEEN t.id << 22 AND t.id << 22 | 4194303 CROSS JOIN processes p ON p.id = m.process_id
		WHERE t.timestamp BETWEEN ? AND ? AND +t.host_id = ? AND p.job_id = ? AND p.start_ticks > 0`, []any{first - 1e-6, first + 1e-6, t.hostID, job},
		func(r *sql.Rows) error {
			var began float64
			err := r.Scan(&began)
			t.from = min(t.from, began)
			return err
		})
	if err != nil || !open {
		return err
	}
	return each(ctx, db.db, `SELECT t.timestamp FROM snapshots t WHERE t.timestamp > ? AND +t.host_id = ? ORDER BY t.timestamp LIMIT 1`, []any{last, t.hostID},
		func(r *sql.Rows) error {
			var without float64
			err := r.Scan(&without)
			t.to = max(t.to, without)
			return err
		})
}

// JobExtent is when a job of a name was there, as far as it is known: a host's own, or the fleet's.
type JobExtent struct {
	Host     string // whose job it is; empty for one of the fleet
	Fleet    bool
	From, To float64 // Unix seconds, of what was seen or said of it first and last
	Open     bool    // nobody said that it ended, and a process of it is in the newest snapshot
	Status   *string
	ExitCode *int64
	Command  *string
}

// scope is whose job it is, as people read it.
func (e *JobExtent) scope() string {
	if e.Fleet {
		return "fleet"
	}
	return e.Host
}

// JobExtents returns when the jobs of a filter were there.
func JobExtents(ctx context.Context, db *DB, f JobFilter) ([]JobExtent, error) {
	host, args := f.ofHost(` AND h.name IN (?2, '` + schema.Fleet + `')`)
	extents, err := collect(ctx, db, `SELECT CASE WHEN j.fleet THEN '' ELSE h.name END, j.fleet, min(min(coalesce(first_seen, 9e99), coalesce(first_event, 9e99), coalesce(started, 9e99))),
		max(max(coalesce(last_seen, 0), coalesce(last_event, 0), coalesce(ended, 0))), max(ended) IS NULL AND max(EXISTS (SELECT 1 FROM processes p
			WHERE p.job_id = j.job_id AND p.fleet = j.fleet AND p.host_id = j.host_id AND p.last_snapshot = 4611686018427387904)), max(status), max(exit_code), max(command)
		FROM jobs j JOIN hosts h ON h.id = j.host_id WHERE j.job_id = ?1`+host+` GROUP BY j.fleet, CASE WHEN j.fleet THEN 0 ELSE j.host_id END`,
		append([]any{f.Name}, args...), func(r *sql.Rows, e *JobExtent) error {
			return r.Scan(&e.Host, &e.Fleet, &e.From, &e.To, &e.Open, &e.Status, &e.ExitCode, &e.Command)
		})
	if err != nil {
		return nil, fmt.Errorf("read when job %q was there: %w", f.Name, err)
	}
	times, err := jobTimes(ctx, db, f)
	if err != nil {
		return nil, fmt.Errorf("read when job %q ran: %w", f.Name, err)
	}
	for i := range extents { // its oldest process may have started before it was seen
		for _, t := range times {
			if e := &extents[i]; e.Fleet || e.Host == t.host {
				e.From = min(e.From, t.from)
			}
		}
	}
	return extents, nil
}
