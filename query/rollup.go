package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// Minute is the resolution of rollups, in seconds.
const Minute = 60

// withoutSnapshots leaves a rollup out when the snapshots of its minute are still there.
const withoutSnapshots = ` AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.host_id = t.host_id
	AND s.timestamp >= t.timestamp AND s.timestamp < t.timestamp + 60)`

// rollupHeads reads the minutes of a range that have left full resolution, as snapshots without their processes. A figure
// is the mean of the minute, or the last value or the largest where there is no mean.
func rollupHeads(ctx context.Context, db *DB, r Range) ([]Snapshot, error) {
	query, args := r.page(ofMinutes, `SELECT `+minuteColumns, withoutSnapshots)
	snaps, err := collect(ctx, db, query, args, scanMinute)
	if err != nil {
		return nil, fmt.Errorf("read one-minute rollups: %w", err)
	}
	return ordered(snaps, r), nil
}

const minuteColumns = `t.id, t.timestamp, h.name, t.host_id, coalesce(t.daemon_pid,0), t.memory_total_kib,
		coalesce(t.memory_used_mean,0), coalesce(t.memory_used_max,0), coalesce(t.memory_used_p95,0), coalesce(t.daemon_rss_kib,0),
		coalesce(t.load1_mean,0), coalesce(t.load1_max,0), coalesce(t.load5,0), coalesce(t.load15,0), t.gpus,
		coalesce(nullif(t.pressure_level,''),'none'), coalesce(t.running_jobs,0), coalesce(t.active_sheets,0), t.zombie_count,
		coalesce(t.cpus,0), t.partial, t.samples, t.process_count
		FROM rollups t JOIN hosts h ON h.id = t.host_id`

func scanMinute(rows *sql.Rows, s *Snapshot) error {
	var total, used, usedMax, usedP95, daemon, load1, load1Max, load5, load15 int64
	var gpus []byte
	*s = Snapshot{Processes: []Process{}, ZombiePIDs: []int64{}, JobProgress: []JobProgress{}, Resolution: Minute}
	err := rows.Scan(&s.rollupID, &s.Timestamp, &s.Host, &s.hostID, &s.DaemonPID, &total, &used, &usedMax, &usedP95, &daemon,
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
}

// rollupColumns are the columns of a process's minute. scanRollup reads them.
var rollupColumns = processColumns + `, m.samples, m.last_boot_ns, m.` + strings.Join(metric.RollupNames(), ", m.")

func scanRollup(rows *sql.Rows, p *Process, more ...any) error {
	var id, boot int64
	values := make([]any, len(metric.RollupNames()))
	dst := []any{&p.Samples, &boot}
	for i := range values {
		dst = append(dst, &values[i])
	}
	if err := scanProcess(rows, &id, p, append(dst, more...)...); err != nil {
		return err
	}
	for _, of := range metric.Spreads {
		number := func(i int) schema.Opt[int64] { return schema.NumberFromSQL(of, values[i]) }
		p.measure(of, number(0))
		p.setSpread(of, number(1), number(2))
		values = values[3:]
	}
	for i, of := range metric.Lasts {
		p.measure(of, schema.NumberFromSQL(of, values[i]))
	}
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
func rollupHistory(ctx context.Context, db *DB, of Identity, r Range) ([]HistoryPoint, error) {
	on, named := of.conditions()
	query, args := r.page(ofProcessMinutes, `SELECT `+rollupColumns+`, t.id, m.process_id, t.timestamp, h.name, p.boot_id FROM rollup_processes p
		CROSS JOIN process_rollups m ON m.process_id = p.id AND `+on+` CROSS JOIN rollups t ON t.id = m.rollup_id
		JOIN hosts h ON h.id = t.host_id`, withoutSnapshots)
	points, err := collect(ctx, db, query, append(named, args...), func(rows *sql.Rows, m *HistoryPoint) error {
		m.Resolution, m.place.kind = Minute, ofProcessMinutes
		err := scanRollup(rows, &m.Process, &m.place.id, &m.place.process, &m.Timestamp, &m.Host, &m.BootID)
		m.place.at = m.Timestamp
		return err
	})
	return ordered(points, r), err
}
