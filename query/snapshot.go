package query

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Snapshots returns the snapshots of a range, oldest first, each with its processes and GPUs. Where they have left full
// resolution, the one-minute rollups stand in their place.
func Snapshots(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	snaps, err := snapshotHeads(ctx, db, r)
	if err != nil {
		return nil, err
	}
	minutes, err := rollupHeads(ctx, db, r)
	if err != nil {
		return nil, err
	}
	snaps = merged(snaps, minutes, r, byTime)
	reader := processReader{described: map[int64]*Process{}}
	for page := range slices.Chunk(snaps, 100) {
		if err := addProcesses(ctx, db, &reader, page); err != nil {
			return nil, fmt.Errorf("read the processes of snapshots: %w", err)
		}
	}
	return slices.DeleteFunc(snaps, func(s Snapshot) bool { return s.Processes == nil }), nil
}

// addProcesses reads the processes of some snapshots, all as they are at one time. A snapshot that was deleted since its
// head was read gets nil, not an empty list.
func addProcesses(ctx context.Context, db *DB, reader *processReader, snaps []Snapshot) error {
	return view(ctx, db, func(tx *sql.Tx) error {
		for i := range snaps {
			s := &snaps[i]
			var err error
			if s.rollupID != 0 {
				if err = addRollupProcesses(ctx, db, s); err != nil {
					return err
				}
				continue
			}
			if s.Processes, err = reader.read(ctx, tx, s.ID, s.bootNS); err != nil {
				return err
			}
			if len(s.Processes) > 0 {
				continue
			}
			var there bool
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM snapshots WHERE id = ?`, s.ID).Scan(&there); err != nil {
				return err
			}
			if !there {
				s.Processes = nil
			}
		}
		return nil
	})
}

func byTime(a, b Snapshot) int { return cmp.Compare(a.Timestamp, b.Timestamp) }

// SnapshotHeads returns what [Snapshots] does, without the processes.
func SnapshotHeads(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	snaps, err := snapshotHeads(ctx, db, r)
	if err != nil {
		return nil, err
	}
	minutes, err := rollupHeads(ctx, db, r)
	return merged(snaps, minutes, r, byTime), err
}

func snapshotHeads(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	query, args := r.page(`SELECT t.id, t.timestamp, h.name, coalesce(daemon_pid,0), coalesce(system_memory_total_mb,0),
		coalesce(system_memory_available_mb,0), coalesce(system_memory_used_mb,0), coalesce(daemon_rss_mb,0),
		coalesce(load_avg_1,0), coalesce(load_avg_5,0), coalesce(load_avg_15,0), gpus, coalesce(pressure_level,'none'),
		coalesce(running_jobs,0), coalesce(active_sheets,0), coalesce(zombie_count,0), zombie_pids, job_progress,
		coalesce(conductor_uptime_seconds,0), coalesce(cpus,0), partial, hidden_count, t.boot_ns
		FROM snapshots t JOIN hosts h ON h.id = t.host_id`)
	snaps, err := collect(ctx, db, query, args, func(rows *sql.Rows, s *Snapshot) error {
		var gpus, zombies, progress []byte
		s.Processes = []Process{}
		err := rows.Scan(&s.ID, &s.Timestamp, &s.Host, &s.DaemonPID, &s.MemTotal, &s.MemAvail, &s.MemUsed, &s.DaemonRSS,
			&s.Load1, &s.Load5, &s.Load15, &gpus, &s.PressureLevel, &s.RunningJobs, &s.ActiveSheets, &s.Zombies, &zombies, &progress,
			&s.Uptime, &s.CPUs, &s.Partial, &s.Hidden, &s.bootNS)
		if err != nil {
			return err
		}
		return errors.Join(json.Unmarshal(gpus, &s.GPUs), json.Unmarshal(zombies, &s.ZombiePIDs),
			json.Unmarshal(progress, &s.JobProgress))
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	if r.Newest {
		slices.Reverse(snaps)
	}
	return snaps, nil
}
