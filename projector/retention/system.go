package retention

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// system is what a snapshot says of its host.
type system struct {
	interval, daemonPID, daemonRSS, cpus int64
	total, available                     int64 // KiB
	load1, load5, load15                 int64 // hundredths
	processes, zombies, jobs, sheets     int64
	pressure                             string
	partial                              bool
	gpus                                 []schema.GPU
}

// readSystem reads a snapshot without its processes.
func readSystem(ctx context.Context, db *sql.DB, id int64) (s system, err error) {
	var total, available, daemon, load1, load5, load15 float64
	var gpus []byte
	err = db.QueryRowContext(ctx, `SELECT interval_ns, coalesce(daemon_pid,0), coalesce(daemon_rss_mb,0), coalesce(cpus,0),
		coalesce(system_memory_total_mb,0), coalesce(system_memory_available_mb,system_memory_total_mb,0), coalesce(load_avg_1,0), coalesce(load_avg_5,0),
		coalesce(load_avg_15,0), coalesce(child_count,0), coalesce(zombie_count,0), coalesce(running_jobs,0),
		coalesce(active_sheets,0), coalesce(pressure_level,''), partial, gpus FROM snapshots WHERE id = ?`, id).
		Scan(&s.interval, &s.daemonPID, &daemon, &s.cpus, &total, &available, &load1, &load5, &load15, &s.processes, &s.zombies,
			&s.jobs, &s.sheets, &s.pressure, &s.partial, &gpus)
	if err != nil {
		return s, fmt.Errorf("read snapshot %d: %w", id, err)
	}
	s.total, s.available, s.daemonRSS = times(total, 1024), times(available, 1024), times(daemon, 1024)
	s.load1, s.load5, s.load15 = times(load1, 100), times(load5, 100), times(load15, 100)
	s.gpus, err = ndjson.ParseGPUs(gpus)
	return s, err
}

// times is a column in its unit on the wire, from which it was computed.
func times(v, n float64) int64 { return int64(math.Round(v * n)) }

// addTo takes the snapshot, which is newer than those before, into the rollup.
func (s *system) addTo(u *schema.Rollup) {
	u.Interval, u.DaemonPID, u.CPUs, u.MemoryTotal = s.interval, int(s.daemonPID), int(s.cpus), uint64(s.total)
	u.Load5, u.Load15 = s.load5, s.load15
	u.DaemonRSS = max(u.DaemonRSS, uint64(s.daemonRSS))
	u.ProcessCount, u.Zombies = max(u.ProcessCount, s.processes), max(u.Zombies, s.zombies)
	u.RunningJobs, u.ActiveSheets = max(u.RunningJobs, s.jobs), max(u.ActiveSheets, s.sheets)
	u.PressureLevel = worsePressure(u.PressureLevel, s.pressure)
	u.Partial = u.Partial || s.partial
	u.GPUs = mostOfGPUs(u.GPUs, s.gpus)
}

func worsePressure(a, b string) string {
	if slices.Index(schema.PressureLevels[:], a) >= slices.Index(schema.PressureLevels[:], b) {
		return a
	}
	return b
}

// mostOfGPUs is the larger of each figure, by index.
func mostOfGPUs(a, b []schema.GPU) []schema.GPU {
	for _, g := range b {
		i := slices.IndexFunc(a, func(x schema.GPU) bool { return x.Index == g.Index })
		if i < 0 {
			a = append(a, g)
			continue
		}
		schema.Raise(&a[i].Utilization, g.Utilization)
		schema.Raise(&a[i].MemoryUsed, g.MemoryUsed)
		schema.Raise(&a[i].MemoryTotal, g.MemoryTotal)
		schema.Raise(&a[i].Temperature, g.Temperature)
	}
	slices.SortFunc(a, func(x, y schema.GPU) int { return cmp.Compare(x.Index, y.Index) })
	return a
}
