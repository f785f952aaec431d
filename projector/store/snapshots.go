package store

import (
	"fmt"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// Snapshot is a row of snapshots.
type Snapshot struct {
	ID, HostID int64
	GoesOn     bool // from the snapshot before it
	Message    *schema.Message
}

const insertSnapshot = `INSERT OR ROLLBACK INTO snapshots(id, timestamp, daemon_pid, system_memory_total_mb,
	system_memory_available_mb, system_memory_used_mb, daemon_rss_mb, child_count, zombie_count, load_avg_1,
	load_avg_5, load_avg_15, gpu_count, gpu_utilization_pct, gpu_memory_used_mb, gpu_temperature, pressure_level,
	running_jobs, active_sheets, host_id, boot_id, boot_ns, wall_ns, instance, seq, tick, interval_ns, cpus, partial, hidden_count,
	conductor_uptime_seconds, zombie_pids, gpus, job_progress, pressure, capabilities, host_values, goes_on)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

func writeSnapshots(tx *Tx, snapshots []Snapshot) error {
	for i := range snapshots {
		row := &snapshots[i]
		if _, err := tx.Exec(insertSnapshot, row.values()...); err != nil {
			return fmt.Errorf("store snapshot %d: %w", row.ID, err)
		}
	}
	return nil
}

// values are the values that insertSnapshot takes.
func (row *Snapshot) values() []any {
	m, s := row.Message, row.Message.Snapshot
	zombies := s.Zombies()
	var pressure any
	if s.Pressure != nil {
		pressure = string(ndjson.AppendPressure(nil, s.Pressure))
	}
	knows := s.HostValues.Knows
	load := knows(schema.HostLoad)
	return []any{
		row.ID, schema.Timestamp(m.Wall), s.DaemonPID, orNull(knows(schema.HostMemoryTotal), schema.MiB(int64(s.MemoryTotal))),
		orNull(knows(schema.HostMemoryAvail), schema.MiB(int64(s.MemoryAvail))),
		orNull(s.HostValues.KnowsMemoryUsed(), schema.MiB(int64(s.MemoryTotal)-int64(s.MemoryAvail))),
		schema.MiB(int64(s.DaemonRSS)), s.Processes.Len(), len(zombies),
		orNull(load, float64(s.Load[0])/100), orNull(load, float64(s.Load[1])/100), orNull(load, float64(s.Load[2])/100), len(s.GPUs),
		gpuColumn(s.GPUs, func(g *schema.GPU) float64 { return float64(g.Utilization.Or(0)) / 10 }),
		gpuColumn(s.GPUs, func(g *schema.GPU) float64 { return schema.MiB(g.MemoryUsed.Or(0)) }),
		gpuColumn(s.GPUs, func(g *schema.GPU) float64 { return float64(g.Temperature.Or(0)) / 10 }),
		s.PressureLevel, s.RunningJobs, s.ActiveSheets, row.HostID, m.BootID, m.Boot, m.Wall, m.Instance.String(), int64(m.Seq),
		int64(s.Tick), s.Interval, orNull(knows(schema.HostCPUs), s.CPUs), s.Partial, s.Hidden, float64(s.Uptime) / 1e9, string(ndjson.AppendInts(nil, zombies)),
		string(ndjson.AppendGPUs(nil, s.GPUs)), string(ndjson.AppendJobProgress(nil, s.JobProgress)), pressure,
		string(ndjson.AppendCapabilities(nil, s.Capabilities)), string(ndjson.AppendHostValues(nil, &s.HostValues)),
		orNull(row.GoesOn, 1),
	}
}

// orNull is v, or NULL.
func orNull[T any](ok bool, v T) any {
	if !ok {
		return nil
	}
	return v
}

// gpuColumn is the contract's JSON array with one number for each GPU. What is not known is 0 there, and null in the
// column gpus.
func gpuColumn(gpus []schema.GPU, value func(*schema.GPU) float64) string {
	return string(ndjson.AppendFloats(nil, gpus, value))
}
