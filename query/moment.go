package query

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// HostAt is the processes of a host at a time: its newest snapshot until then, or the minute of the rollups that the time is in.
type HostAt struct {
	Asked float64 `json:"asked_time"`  // Unix seconds
	Old   float64 `json:"age_seconds"` // how much older the snapshot is than the time that was asked for
	Snapshot
}

// farBack is how long a host may have been silent, in seconds, to be among all hosts. One that is asked for by name may have been
// silent for longer.
const farBack = 3600

// ProcessesAt returns the processes that were there at a time, in Unix seconds, host by host: of each host the newest snapshot that is
// not after it. The filter picks hosts and processes; its times and its limit mean nothing here.
func ProcessesAt(ctx context.Context, db *DB, at float64, f Filter) ([]HostAt, error) {
	moments, err := momentsAt(ctx, db, at, f.Host)
	if err != nil {
		return nil, fmt.Errorf("read the processes of a time: %w", err)
	}
	for i := range moments {
		m := &moments[i]
		if err := addProcesses(ctx, db, newProcessReader(), &m.Snapshot); err != nil {
			return nil, fmt.Errorf("read the processes of a time: %w", err)
		}
		m.Processes = slices.DeleteFunc(m.Processes, func(p Process) bool { return !f.picks(&p) })
	}
	return moments, nil
}

// momentsAt are the moments without their processes, by host.
func momentsAt(ctx context.Context, db *DB, at float64, host string) ([]HostAt, error) {
	hosts, err := collect(ctx, db, `SELECT id, name FROM hosts WHERE ? IN ('', name) ORDER BY name`, []any{host}, func(r *sql.Rows, h *hostRow) error {
		return r.Scan(&h.id, &h.name)
	})
	if err != nil {
		return nil, err
	}
	newest, err := newestSnapshots(ctx, db, at, hosts)
	if err != nil {
		return nil, err
	}
	moments := []HostAt{}
	for _, h := range hosts {
		s, found, err := headAt(ctx, db, at, h.id, newest[h.id])
		if err != nil {
			return nil, err
		}
		if found && (at-s.Timestamp <= farBack || host != "") {
			old := at - s.Timestamp
			if s.Resolution > 0 {
				old = max(0, old-s.Resolution)
			}
			moments = append(moments, HostAt{Asked: at, Old: old, Snapshot: s})
		}
	}
	return moments, nil
}

type hostRow struct {
	id   int64
	name string
}

// newestSnapshots are the ids of the newest snapshots of hosts that are not after a time. It looks back further and further, so that what
// a host that is silent costs does not grow with the record.
func newestSnapshots(ctx context.Context, db *DB, at float64, hosts []hostRow) (map[int64]int64, error) {
	newest := map[int64]int64{}
	spans := []float64{60, 600, farBack}
	if len(hosts) == 1 {
		spans = []float64{at + 1}
	}
	for _, span := range spans {
		query, args := `SELECT t.host_id, t.id FROM snapshots t WHERE t.timestamp <= ? AND t.timestamp > ?`, []any{at, at - span}
		if len(hosts) == 1 {
			query, args = query+` AND +t.host_id = ?`, append(args, hosts[0].id)
		}
		rows, err := db.db.QueryContext(ctx, query+` ORDER BY t.timestamp DESC, t.id DESC`, args...)
		if err != nil {
			return nil, err
		}
		for len(newest) < len(hosts) && rows.Next() {
			var host, id int64
			if err = rows.Scan(&host, &id); err != nil {
				break
			}
			if _, seen := newest[host]; !seen {
				newest[host] = id
			}
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
		if len(newest) == len(hosts) {
			break
		}
	}
	return newest, nil
}

// headAt is the snapshot of a host, or its minute when that is newer: then the snapshots have left full resolution.
func headAt(ctx context.Context, db *DB, at float64, host, snapshot int64) (s Snapshot, found bool, err error) {
	heads, err := collect(ctx, db, `SELECT `+snapshotColumns+` WHERE t.id = ?`, []any{snapshot}, scanSnapshot)
	if err != nil {
		return s, false, err
	}
	minutes, err := collect(ctx, db, `SELECT `+minuteColumns+` WHERE t.host_id = ? AND t.timestamp <= ? ORDER BY t.timestamp DESC LIMIT 1`,
		[]any{host, at}, scanMinute)
	heads = append(heads, minutes...)
	if err != nil || len(heads) == 0 {
		return s, false, err
	}
	return slices.MaxFunc(heads, func(a, b Snapshot) int {
		return cmp.Compare(a.Timestamp+a.Resolution, b.Timestamp+b.Resolution)
	}), true, nil
}

// SnapshotInterval is the longest time between two snapshots that hosts of a range were sampled with, in seconds: a minute where only
// minutes are kept, and 0 where nothing is.
func SnapshotInterval(ctx context.Context, db *DB, r Range) (seconds float64, err error) {
	until := cmp.Or(r.Until, 9e99)
	const host = ` AND (? = '' OR host_id = (SELECT id FROM hosts WHERE name = ?))`
	err = db.db.QueryRowContext(ctx, `SELECT max(coalesce((SELECT max(interval_ns) / 1e9 FROM snapshots WHERE timestamp >= ? AND timestamp < ?`+host+`), 0),
		iif(EXISTS (SELECT 1 FROM rollups t WHERE timestamp >= ? AND timestamp < ?`+host+withoutSnapshots+`), ?, 0))`,
		r.Since, until, r.Host, r.Host, r.Since, until, r.Host, r.Host, Minute).Scan(&seconds)
	if err != nil {
		return 0, fmt.Errorf("read the interval of snapshots: %w", err)
	}
	return seconds, nil
}
