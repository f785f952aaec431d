package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Snapshots returns the snapshots of a range, in its order, each with its processes and GPUs. Where they have left full
// resolution, the one-minute rollups stand in their place.
func Snapshots(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	snaps, err := SnapshotHeads(ctx, db, r)
	if err != nil {
		return nil, err
	}
	reader := newProcessReader()
	for i := range snaps {
		if err := addProcesses(ctx, db, reader, &snaps[i]); err != nil {
			return nil, fmt.Errorf("read the processes of snapshots: %w", err)
		}
	}
	return slices.DeleteFunc(snaps, func(s Snapshot) bool { return s.Processes == nil }), nil
}

// SnapshotSeq yields what [Snapshots] returns, page by page: its memory does not grow with the range. A filter leaves out the
// processes that it does not pick, and then the snapshots in which there is none.
func SnapshotSeq(ctx context.Context, db *DB, f Filter) iter.Seq2[Snapshot, error] {
	if f.PicksProcesses() && f.Newest && !f.Reverse && f.Limit > 0 {
		return lastOf(f.Range, func(r Range) iter.Seq2[Snapshot, error] {
			f.Range = r
			return SnapshotSeq(ctx, db, f)
		})
	}
	heads, limit := f.Range, 0
	if f.PicksProcesses() {
		heads.Limit, limit = 0, f.Limit // of those that have a process
	}
	return func(yield func(Snapshot, error) bool) {
		reader, n := newProcessReader(), 0
		for s, err := range snapshotList.items(ctx, db, heads) {
			if err == nil {
				err = addProcesses(ctx, db, reader, &s)
			}
			if err != nil {
				yield(Snapshot{}, fmt.Errorf("read snapshots: %w", err))
				return
			}
			if f.PicksProcesses() {
				s.Processes = slices.DeleteFunc(s.Processes, func(p Process) bool { return !f.picks(&p) })
				if len(s.Processes) == 0 {
					continue
				}
			}
			if s.Processes == nil { // it was deleted meanwhile
				continue
			}
			if n++; !yield(s, nil) || n == limit {
				return
			}
		}
	}
}

// lastOf yields the last items of a range, oldest first, of which the newest are found first.
func lastOf[T any](r Range, items func(Range) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		r.Newest, r.Reverse = false, true
		last, err := All(items(r))
		slices.Reverse(last)
		yieldAll(last, err, yield)
	}
}

// snapshotList is how snapshots are read, without their processes.
var snapshotList = listing[Snapshot]{read: SnapshotHeads, position: func(s *Snapshot) position { return s.position() }, first: 4, most: 256}

// Cursor is the snapshot's place in a listing.
func (s Snapshot) Cursor() Cursor { return s.position().cursor() }

func (s *Snapshot) position() position {
	if s.rollupID != 0 {
		return position{at: s.Timestamp, kind: ofMinutes, id: s.rollupID}
	}
	return position{at: s.Timestamp, kind: ofRows, id: s.ID}
}

// addProcesses reads the processes of a snapshot, as they are at one time. A snapshot that was deleted since its head was
// read gets nil, not an empty list.
func addProcesses(ctx context.Context, db *DB, reader *processReader, s *Snapshot) error {
	if s.rollupID != 0 {
		return addRollupProcesses(ctx, db, s)
	}
	return view(ctx, db, func(tx *sql.Tx) error {
		var err error
		if s.Processes, err = reader.read(ctx, tx, s.ID, s.bootNS); err != nil || len(s.Processes) > 0 {
			return err
		}
		var there bool
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM snapshots WHERE id = ?`, s.ID).Scan(&there); err != nil {
			return err
		}
		if !there {
			s.Processes = nil
		}
		return nil
	})
}

// SnapshotHeads returns what [Snapshots] does, without the processes.
func SnapshotHeads(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	snaps, err := snapshotHeads(ctx, db, r)
	if err != nil {
		return nil, err
	}
	minutes, err := rollupHeads(ctx, db, r)
	return merged(snaps, minutes, r, func(a, b Snapshot) int { return a.position().compare(b.position()) }), err
}

const snapshotColumns = `t.id, t.timestamp, h.name, t.host_id, coalesce(daemon_pid,0), coalesce(system_memory_total_mb,0),
		coalesce(system_memory_available_mb,0), coalesce(system_memory_used_mb,0), coalesce(daemon_rss_mb,0),
		coalesce(load_avg_1,0), coalesce(load_avg_5,0), coalesce(load_avg_15,0), gpus, coalesce(pressure_level,'none'), pressure,
		coalesce(running_jobs,0), coalesce(active_sheets,0), coalesce(zombie_count,0), zombie_pids, job_progress,
		coalesce(conductor_uptime_seconds,0), coalesce(cpus,0), partial, hidden_count, t.boot_ns, host_values
		FROM snapshots t JOIN hosts h ON h.id = t.host_id`

func snapshotHeads(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	query, args := r.page(ofRows, `SELECT `+snapshotColumns)
	snaps, err := collect(ctx, db, query, args, scanSnapshot)
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	return ordered(snaps, r), nil
}

func scanSnapshot(rows *sql.Rows, s *Snapshot) error {
	var gpus, pressure, zombies, progress, hostValues []byte
	s.Processes = []Process{}
	err := rows.Scan(&s.ID, &s.Timestamp, &s.Host, &s.hostID, &s.DaemonPID, &s.MemTotal, &s.MemAvail, &s.MemUsed, &s.DaemonRSS,
		&s.Load1, &s.Load5, &s.Load15, &gpus, &s.PressureLevel, &pressure, &s.RunningJobs, &s.ActiveSheets, &s.Zombies, &zombies, &progress,
		&s.Uptime, &s.CPUs, &s.Partial, &s.Hidden, &s.bootNS, &hostValues)
	if err != nil {
		return err
	}
	if pressure != nil {
		err = json.Unmarshal(pressure, &s.Pressure)
	}
	return errors.Join(err, json.Unmarshal(gpus, &s.GPUs), json.Unmarshal(zombies, &s.ZombiePIDs), json.Unmarshal(progress, &s.JobProgress),
		s.setFromColumn(hostValues))
}
