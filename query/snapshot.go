package query

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/schema"
)

// Snapshot is one look at a host, with the keys, units and defaults of the contract, and ours beside them.
type Snapshot struct {
	ID        int64         `json:"id,omitzero"` // row id; 0 when it comes from the log
	Timestamp float64       `json:"timestamp"`   // Unix seconds
	Host      string        `json:"host"`
	DaemonPID int64         `json:"daemon_pid"`
	MemTotal  float64       `json:"system_memory_total_mb"`
	MemAvail  float64       `json:"system_memory_available_mb"`
	MemUsed   float64       `json:"system_memory_used_mb"`
	DaemonRSS float64       `json:"daemon_rss_mb"`
	Load1     float64       `json:"load_avg_1"`
	Load5     float64       `json:"load_avg_5"`
	Load15    float64       `json:"load_avg_15"`
	Processes []Process     `json:"processes"`
	GPUs      []GPU         `json:"gpus"`
	Pressure  string        `json:"pressure_level"`
	Jobs      int64         `json:"running_jobs"`
	Sheets    int64         `json:"active_sheets"`
	Zombies   int64         `json:"zombie_count"`
	ZombiePID []int64       `json:"zombie_pids"`
	Progress  []JobProgress `json:"job_progress"`
	Uptime    float64       `json:"conductor_uptime_seconds"`
	CPUs      int64         `json:"cpus"`
	Partial   bool          `json:"partial"`      // some processes of the host could not be seen
	Hidden    int64         `json:"hidden_count"` // how many, where known
	// Of a minute whose snapshots have left full resolution; the figures above are then its means, or the last or most.
	Resolution float64 `json:"resolution_seconds,omitzero"` // 0: one look
	Samples    int64   `json:"samples,omitzero"`            // snapshots that went in
	Count      int64   `json:"process_count,omitzero"`      // most processes at once
	MemUsedMax float64 `json:"system_memory_used_max_mb,omitzero"`
	MemUsedP95 float64 `json:"system_memory_used_p95_mb,omitzero"`
	Load1Max   float64 `json:"load_avg_1_max,omitzero"`

	bootNS   int64 // CLOCK_BOOTTIME of the look
	rollupID int64
}

// Process is one process in one snapshot. What is unknown has the contract's default, and its key is in Unknown.
type Process struct {
	PID           int64           `json:"pid"`
	PPID          int64           `json:"ppid"`
	Command       string          `json:"command"`
	State         string          `json:"state"`
	CPUPercent    float64         `json:"cpu_percent"` // of one core
	RSS           float64         `json:"rss_mb"`
	VMS           float64         `json:"vms_mb"`
	Threads       int64           `json:"threads"`
	OpenFDs       int64           `json:"open_fds"`
	Age           float64         `json:"age_seconds"`
	JobID         *string         `json:"job_id"`
	Sheet         *int64          `json:"sheet_num"`
	SyscallCounts json.RawMessage `json:"syscall_counts"`
	SyscallTimes  json.RawMessage `json:"syscall_time_pct"`
	StartTicks    int64           `json:"start_ticks"` // with pid and boot this names the process: hundredths of a second after boot
	CPUSeconds    float64         `json:"cpu_seconds"` // used since the process started
	Unknown       []string        `json:"unknown,omitempty"`
	GPUMemory     *float64        `json:"gpu_memory_mb,omitempty"` // on all GPUs; absent when not known
	// Of a minute; cpu_percent and rss_mb are then its means.
	Samples int64   `json:"samples,omitzero"`
	CPUMax  float64 `json:"cpu_percent_max,omitzero"`
	CPUP95  float64 `json:"cpu_percent_p95,omitzero"`
	RSSMax  float64 `json:"rss_mb_max,omitzero"`
	RSSP95  float64 `json:"rss_mb_p95,omitzero"`
}

// GPU is one accelerator.
type GPU struct {
	Index       int      `json:"index"`
	Utilization *float64 `json:"utilization_pct"`
	MemoryUsed  *float64 `json:"memory_used_mb"`
	MemoryTotal *float64 `json:"memory_total_mb"`
	Temperature *float64 `json:"temperature_c"`
}

// JobProgress is how far a job has come, as its conductor says.
type JobProgress struct {
	JobID         string `json:"job_id"`
	TotalSheets   *int64 `json:"total_sheets"`
	LastCompleted *int64 `json:"last_completed_sheet"`
	CurrentSheet  *int64 `json:"current_sheet"`
	Status        string `json:"status"`
}

// Range is a span of time and how much of it to return. The zero Range is everything.
type Range struct {
	Since  float64 // Unix seconds, inclusive
	Until  float64 // Unix seconds, exclusive; 0 for no end
	Limit  int     // 0 for all
	Newest bool    // the last Limit, still oldest first; else the first Limit
	Host   string  // empty for all
}

// page completes a query over a table with the columns timestamp, id and host_id, in the alias t; more are conditions
// without parameters.
func (r Range) page(query string, more ...string) (string, []any) {
	query += ` WHERE t.timestamp >= ?`
	args := []any{r.Since}
	if r.Until > 0 {
		query += ` AND t.timestamp < ?`
		args = append(args, r.Until)
	}
	if r.Host != "" {
		// The plus keeps to the index by time, whose order is the page's.
		query += ` AND +t.host_id = (SELECT id FROM hosts WHERE name = ?)`
		args = append(args, r.Host)
	}
	query += strings.Join(more, "")
	order := ` ORDER BY t.timestamp, t.id`
	if r.Newest {
		order = ` ORDER BY t.timestamp DESC, t.id DESC`
	}
	query += order
	if r.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, r.Limit)
	}
	return query, args
}

// Snapshots returns the snapshots of a range, oldest first, each with its processes and GPUs. Where they have left full
// resolution, the one-minute rollups stand in their place.
func (d *DB) Snapshots(ctx context.Context, r Range) ([]Snapshot, error) {
	snaps, err := d.rawHeads(ctx, r)
	if err != nil {
		return nil, err
	}
	minutes, err := d.rollupHeads(ctx, r)
	if err != nil {
		return nil, err
	}
	snaps = merged(snaps, minutes, r, byTime)
	reader := processReader{known: map[int64]*Process{}}
	for page := range slices.Chunk(snaps, 100) {
		if err := d.addProcesses(ctx, &reader, page); err != nil {
			return nil, fmt.Errorf("read the processes of snapshots: %w", err)
		}
	}
	return slices.DeleteFunc(snaps, func(s Snapshot) bool { return s.Processes == nil }), nil
}

// addProcesses reads the processes of some snapshots, all as they are at one moment. A snapshot that was deleted
// since its head was read has none, not even an empty list.
func (d *DB) addProcesses(ctx context.Context, reader *processReader, snaps []Snapshot) error {
	return d.view(ctx, func(tx *sql.Tx) error {
		for i := range snaps {
			s := &snaps[i]
			var err error
			if s.rollupID != 0 {
				if err = d.addRollupProcesses(ctx, s); err != nil {
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

// SnapshotHeads is Snapshots without the processes.
func (d *DB) SnapshotHeads(ctx context.Context, r Range) ([]Snapshot, error) {
	snaps, err := d.rawHeads(ctx, r)
	if err != nil {
		return nil, err
	}
	minutes, err := d.rollupHeads(ctx, r)
	return merged(snaps, minutes, r, byTime), err
}

func (d *DB) rawHeads(ctx context.Context, r Range) ([]Snapshot, error) {
	query, args := r.page(`SELECT t.id, t.timestamp, h.name, coalesce(daemon_pid,0), coalesce(system_memory_total_mb,0),
		coalesce(system_memory_available_mb,0), coalesce(system_memory_used_mb,0), coalesce(daemon_rss_mb,0),
		coalesce(load_avg_1,0), coalesce(load_avg_5,0), coalesce(load_avg_15,0), gpus, coalesce(pressure_level,'none'),
		coalesce(running_jobs,0), coalesce(active_sheets,0), coalesce(zombie_count,0), zombie_pids, job_progress,
		coalesce(conductor_uptime_seconds,0), coalesce(cpus,0), partial, hidden_count, t.boot_ns
		FROM snapshots t JOIN hosts h ON h.id = t.host_id`)
	snaps, err := collect(ctx, d, query, args, func(rows *sql.Rows, s *Snapshot) error {
		var gpus, zombies, progress []byte
		s.Processes = []Process{}
		err := rows.Scan(&s.ID, &s.Timestamp, &s.Host, &s.DaemonPID, &s.MemTotal, &s.MemAvail, &s.MemUsed, &s.DaemonRSS,
			&s.Load1, &s.Load5, &s.Load15, &gpus, &s.Pressure, &s.Jobs, &s.Sheets, &s.Zombies, &zombies, &progress,
			&s.Uptime, &s.CPUs, &s.Partial, &s.Hidden, &s.bootNS)
		if err != nil {
			return err
		}
		return errors.Join(json.Unmarshal(gpus, &s.GPUs), json.Unmarshal(zombies, &s.ZombiePID),
			json.Unmarshal(progress, &s.Progress))
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	if r.Newest {
		slices.Reverse(snaps)
	}
	return snaps, nil
}

// fill sets the values that may be unknown to what they are or to the contract's default.
func (p *Process) fill(cpu, rss, vms, fds schema.Opt[int64]) {
	for _, v := range []struct {
		key   string
		value schema.Opt[int64]
	}{{"cpu_percent", cpu}, {"rss_mb", rss}, {"vms_mb", vms}, {"open_fds", fds}} {
		if !v.value.Known {
			p.Unknown = append(p.Unknown, v.key)
		}
	}
	p.CPUPercent = float64(cpu.V) / 10
	p.RSS, p.VMS = schema.MiB(rss.V), schema.MiB(vms.V)
	p.OpenFDs = fds.V
}

// FromMessage is a snapshot as the log has it.
func FromMessage(m *schema.Message) Snapshot {
	s := m.Snapshot
	out := Snapshot{
		Timestamp: schema.Timestamp(m.Wall), Host: m.Host, DaemonPID: int64(s.DaemonPID),
		MemTotal: schema.MiB(int64(s.MemoryTotal)), MemAvail: schema.MiB(int64(s.MemoryAvail)),
		MemUsed: schema.MiB(int64(s.MemoryTotal) - int64(s.MemoryAvail)), DaemonRSS: schema.MiB(int64(s.DaemonRSS)),
		Load1: float64(s.Load[0]) / 100, Load5: float64(s.Load[1]) / 100, Load15: float64(s.Load[2]) / 100,
		Processes: make([]Process, len(s.Processes)), GPUs: make([]GPU, len(s.GPUs)), Pressure: s.PressureLevel,
		Jobs: int64(s.RunningJobs), Sheets: int64(s.ActiveSheets), ZombiePID: s.Zombies(),
		Progress: make([]JobProgress, len(s.JobProgress)), Uptime: float64(s.Uptime) / 1e9, CPUs: int64(s.CPUs),
		Partial: s.Partial, Hidden: int64(s.Hidden),
	}
	out.Zombies = int64(len(out.ZombiePID))
	if out.ZombiePID == nil {
		out.ZombiePID = []int64{}
	}
	for i := range s.Processes {
		out.Processes[i] = processFromMessage(&s.Processes[i], m.Boot)
	}
	for i, g := range s.GPUs {
		out.GPUs[i] = GPU{g.Index, scaled(g.Utilization, 10), scaled(g.MemoryUsed, 1024), scaled(g.MemoryTotal, 1024), scaled(g.Temperature, 10)}
	}
	for i, j := range s.JobProgress {
		out.Progress[i] = JobProgress{j.JobID, pointer(j.TotalSheets), pointer(j.LastCompleted), pointer(j.CurrentSheet), j.Status}
	}
	return out
}

func processFromMessage(p *schema.Process, boot int64) Process {
	out := Process{PID: int64(p.PID), PPID: int64(p.PPID), Command: p.Command, State: p.State, Threads: int64(p.Threads),
		Age: p.Age(boot), Sheet: pointer(p.Sheet), StartTicks: int64(p.StartTicks), CPUSeconds: float64(p.CPUMillis) / 1000}
	out.fill(p.CPUPermille, p.RSS, p.VMS, p.OpenFDs)
	out.GPUMemory = scaled(p.GPUMemory, 1024)
	if p.JobID != "" {
		out.JobID = &p.JobID
	}
	out.SyscallCounts = perCall(p.Syscalls, func(c *schema.Syscall) float64 { return float64(c.Calls) })
	out.SyscallTimes = perCall(p.Syscalls, func(c *schema.Syscall) float64 { return float64(c.TimeX100) / 100 })
	return out
}

// perCall is a JSON object with a number for each system call, in the tracer's order as in the tables.
func perCall(calls []schema.Syscall, value func(*schema.Syscall) float64) json.RawMessage {
	b := []byte{'{'}
	for i := range calls {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(calls[i].Name) // a string always encodes
		b = append(append(b, name...), ':')
		b = strconv.AppendFloat(b, value(&calls[i]), 'f', -1, 64)
	}
	return append(b, '}')
}

func pointer[T any](o schema.Opt[T]) *T {
	if !o.Known {
		return nil
	}
	return &o.V
}

func scaled(o schema.Opt[int64], per float64) *float64 {
	if !o.Known {
		return nil
	}
	v := float64(o.V) / per
	return &v
}
