package query

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Minute is the resolution of rollups, in seconds.
const Minute = 60

// withoutSnapshots leaves a rollup out when the snapshots of its minute are still there.
const withoutSnapshots = ` AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.host_id = t.host_id
	AND s.timestamp >= t.timestamp AND s.timestamp < t.timestamp + 60)`

// rollupHeads reads the minutes of a range that have left full resolution, as snapshots without their processes. A figure
// is the mean of the minute, or the last value or the largest where there is no mean.
func rollupHeads(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	query, args := r.page(`SELECT t.id, t.timestamp, h.name, coalesce(t.daemon_pid,0), t.memory_total_kib,
		coalesce(t.memory_used_mean,0), coalesce(t.memory_used_max,0), coalesce(t.memory_used_p95,0), coalesce(t.daemon_rss_kib,0),
		coalesce(t.load1_mean,0), coalesce(t.load1_max,0), coalesce(t.load5,0), coalesce(t.load15,0), t.gpus,
		coalesce(nullif(t.pressure_level,''),'none'), coalesce(t.running_jobs,0), coalesce(t.active_sheets,0), t.zombie_count,
		coalesce(t.cpus,0), t.partial, t.samples, t.process_count
		FROM rollups t JOIN hosts h ON h.id = t.host_id`, withoutSnapshots)
	snaps, err := collect(ctx, db, query, args, func(rows *sql.Rows, s *Snapshot) error {
		var total, used, usedMax, usedP95, daemon, load1, load1Max, load5, load15 int64
		var gpus []byte
		*s = Snapshot{Processes: []Process{}, ZombiePIDs: []int64{}, JobProgress: []JobProgress{}, Resolution: Minute}
		err := rows.Scan(&s.rollupID, &s.Timestamp, &s.Host, &s.DaemonPID, &total, &used, &usedMax, &usedP95, &daemon,
			&load1, &load1Max, &load5, &load15, &gpus, &s.PressureLevel, &s.RunningJobs, &s.ActiveSheets, &s.Zombies, &s.CPUs, &s.Partial,
			&s.Samples, &s.ProcessCount)
		if err != nil {
			return err
		}
		s.MemTotal, s.MemUsed, s.MemAvail = schema.MiB(total), schema.MiB(used), schema.MiB(total-used)
		s.DaemonRSS = schema.MiB(daemon)
		s.Load1, s.Load5, s.Load15 = float64(load1)/100, float64(load5)/100, float64(load15)/100
		s.MemUsedMax, s.MemUsedP95, s.Load1Max = schema.MiB(usedMax), schema.MiB(usedP95), float64(load1Max)/100
		return json.Unmarshal(gpus, &s.GPUs)
	})
	if err != nil {
		return nil, fmt.Errorf("read one-minute rollups: %w", err)
	}
	if r.Newest {
		slices.Reverse(snaps)
	}
	return snaps, nil
}

// rollupColumns are the columns of a process's minute. scanRollup reads them.
const rollupColumns = `m.samples, m.cpu_mean, m.cpu_max, m.cpu_p95, m.rss_mean, m.rss_max, m.rss_p95, m.last_boot_ns, m.state,
	m.vms_kib, m.threads, m.open_fds, m.cpu_ms, p.pid, p.ppid, p.command, p.job_id, p.sheet_num, p.start_ticks`

func scanRollup(rows *sql.Rows, p *Process, more ...any) error {
	var cpu, cpuMax, cpuP95, rss, rssMax, rssP95, vms, threads, fds, millis, ppid sql.NullInt64
	var state, command sql.NullString
	var boot int64
	err := rows.Scan(append([]any{&p.Samples, &cpu, &cpuMax, &cpuP95, &rss, &rssMax, &rssP95, &boot, &state, &vms, &threads, &fds,
		&millis, &p.PID, &ppid, &command, &p.JobID, &p.Sheet, &p.StartTicks}, more...)...)
	if err != nil {
		return err
	}
	opt := func(v sql.NullInt64) schema.Opt[int64] { return schema.Opt[int64]{V: v.Int64, Known: v.Valid} }
	p.State = cmp.Or(state.String, "S")
	p.setMeasured(opt(cpu), opt(rss), opt(vms), opt(fds))
	p.CPUMax, p.CPUP95 = float64(cpuMax.Int64)/10, float64(cpuP95.Int64)/10
	p.RSSMax, p.RSSP95 = schema.MiB(rssMax.Int64), schema.MiB(rssP95.Int64)
	p.PPID, p.Command, p.Threads, p.CPUSeconds = ppid.Int64, command.String, threads.Int64, float64(millis.Int64)/1000
	p.Age = float64(boot-p.StartTicks*(1e9/schema.TicksPerSecond)) / 1e9
	p.SyscallCounts, p.SyscallTimes = json.RawMessage("{}"), json.RawMessage("{}")
	return nil
}

// addRollupProcesses reads the processes of a minute.
func addRollupProcesses(ctx context.Context, db *DB, s *Snapshot) error {
	query := `SELECT ` + rollupColumns + ` FROM process_rollups m JOIN rollup_processes p ON p.id = m.process_id
		WHERE m.rollup_id = ? ORDER BY p.pid, p.start_ticks`
	var err error
	s.Processes, err = collect(ctx, db, query, []any{s.rollupID}, func(rows *sql.Rows, p *Process) error { return scanRollup(rows, p) })
	return err
}

// rollupHistory reads the minutes of a pid that have left full resolution.
func rollupHistory(ctx context.Context, db *DB, pid int64, r Range) ([]HistoryPoint, error) {
	query := `SELECT ` + rollupColumns + `, t.timestamp, h.name, p.boot_id FROM rollup_processes p
		JOIN process_rollups m ON m.process_id = p.id JOIN rollups t ON t.id = m.rollup_id JOIN hosts h ON h.id = t.host_id
		WHERE p.pid = ? AND t.timestamp >= ?`
	args := []any{pid, r.Since}
	if r.Until > 0 {
		query, args = query+` AND t.timestamp < ?`, append(args, r.Until)
	}
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	return collect(ctx, db, query+withoutSnapshots, args, func(rows *sql.Rows, m *HistoryPoint) error {
		m.Resolution = Minute
		return scanRollup(rows, &m.Process, &m.Timestamp, &m.Host, &m.BootID)
	})
}
