package query

import (
	"encoding/json"
	"slices"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// Snapshot is a host at one time, or over one minute that has left full resolution, with the keys, units and defaults of
// the contract, and ours beside them. Sizes are MiB.
type Snapshot struct {
	ID            int64         `json:"id,omitzero"` // row id; 0 when it comes from the log
	Timestamp     float64       `json:"timestamp"`   // Unix seconds
	Host          string        `json:"host"`
	DaemonPID     int64         `json:"daemon_pid"`
	MemTotal      float64       `json:"system_memory_total_mb"`
	MemAvail      float64       `json:"system_memory_available_mb"`
	MemUsed       float64       `json:"system_memory_used_mb"`
	DaemonRSS     float64       `json:"daemon_rss_mb"`
	Load1         float64       `json:"load_avg_1"`
	Load5         float64       `json:"load_avg_5"`
	Load15        float64       `json:"load_avg_15"`
	Processes     []Process     `json:"processes"`
	GPUs          []GPU         `json:"gpus"`
	PressureLevel string        `json:"pressure_level"`
	Pressure      *Pressure     `json:"pressure"` // nil where the kernel has none, or it is not known
	RunningJobs   int64         `json:"running_jobs"`
	ActiveSheets  int64         `json:"active_sheets"`
	Zombies       int64         `json:"zombie_count"`
	ZombiePIDs    []int64       `json:"zombie_pids"`
	JobProgress   []JobProgress `json:"job_progress"`
	Uptime        float64       `json:"conductor_uptime_seconds"`
	CPUs          int64         `json:"cpus"`
	Partial       bool          `json:"partial"`      // the sampler could not see all processes of the host
	Hidden        int64         `json:"hidden_count"` // how many, where known
	HostValues
	// Set for a minute whose snapshots have left full resolution. The figures above are then the means of the minute, or the
	// last value or the largest where a mean says nothing.
	Resolution   float64 `json:"resolution_seconds,omitzero"` // 60; 0 for a single snapshot
	Samples      int64   `json:"samples,omitzero"`            // snapshots that went in
	ProcessCount int64   `json:"process_count,omitzero"`      // most processes at once
	MemUsedMax   float64 `json:"system_memory_used_max_mb,omitzero"`
	MemUsedP95   float64 `json:"system_memory_used_p95_mb,omitzero"`
	Load1Max     float64 `json:"load_avg_1_max,omitzero"`

	bootNS   int64 // CLOCK_BOOTTIME of the snapshot
	hostID   int64
	rollupID int64
}

// Process is one process in one snapshot. A value that is unknown has the contract's default, and its key is in Unknown.
type Process struct {
	PID     int64  `json:"pid"`
	PPID    int64  `json:"ppid"`
	Command string `json:"command"`
	Measured
	Age           float64         `json:"age_seconds"`
	JobID         *string         `json:"job_id"`
	Fleet         bool            `json:"fleet,omitzero"` // the job is one of the fleet, and not the host's own
	Sheet         *int64          `json:"sheet_num"`
	SyscallCounts json.RawMessage `json:"syscall_counts"`
	SyscallTimes  json.RawMessage `json:"syscall_time_pct"`
	UID           *int64          `json:"uid"`         // effective user; nil when unknown
	Cgroup        *string         `json:"cgroup"`      // path below the cgroup mount; nil when unknown, and of a minute
	StartTicks    int64           `json:"start_ticks"` // with pid and boot this names the process: hundredths of a second after boot
	Unknown       []string        `json:"unknown,omitempty"`
	Samples       int64           `json:"samples,omitzero"` // of a minute: snapshots that had the process
}

// Pressure is the share of the last ten seconds, in percent, in which some, or all, tasks waited: Documentation/accounting/psi.rst.
type Pressure struct {
	CPUSome    *float64 `json:"cpu_some"`
	MemorySome *float64 `json:"memory_some"`
	MemoryFull *float64 `json:"memory_full"`
	IOSome     *float64 `json:"io_some"`
	IOFull     *float64 `json:"io_full"`
}

// GPU is one accelerator.
type GPU struct {
	Index       int      `json:"index"`
	Utilization *float64 `json:"utilization_pct"`
	MemoryUsed  *float64 `json:"memory_used_mb"`
	MemoryTotal *float64 `json:"memory_total_mb"`
	Temperature *float64 `json:"temperature_c"`
}

// JobProgress is how far a job has come, as its conductor reported it.
type JobProgress struct {
	JobID         string `json:"job_id"`
	TotalSheets   *int64 `json:"total_sheets"`
	LastCompleted *int64 `json:"last_completed_sheet"`
	CurrentSheet  *int64 `json:"current_sheet"`
	Status        string `json:"status"`
	Fleet         bool   `json:"fleet,omitzero"` // the job is one of the fleet, and not the host's own
}

// Event is one thing that happened to a process, with the contract's keys and ours beside them. Sizes are MiB.
type Event struct {
	ID         int64    `json:"id,omitzero"` // row id; 0 when it comes from the log
	Timestamp  float64  `json:"timestamp"`   // Unix seconds
	Host       string   `json:"host"`
	PID        int64    `json:"pid"`
	Type       string   `json:"event_type"` // spawn, exit, signal, kill or oom
	ExitCode   *int64   `json:"exit_code"`
	Signal     *int64   `json:"signal_num"`
	JobID      *string  `json:"job_id"`
	Fleet      bool     `json:"fleet,omitzero"` // the job is one of the fleet, and not the host's own
	Sheet      *int64   `json:"sheet_num"`
	Details    string   `json:"details"`
	PPID       *int64   `json:"ppid"`
	UID        *int64   `json:"uid"` // effective user
	Command    string   `json:"command"`
	StartTicks int64    `json:"start_ticks"`
	Core       bool     `json:"core"` // the signal was one that dumps core
	CPUSeconds *float64 `json:"cpu_seconds"`
	SystemCPU  *float64 `json:"system_cpu_seconds"` // of CPUSeconds, what the kernel used on its behalf
	PeakRSS    *float64 `json:"peak_rss_mb"`
	Read       *float64 `json:"read_mb"`  // from storage, in the whole life
	Write      *float64 `json:"write_mb"` // to storage, in the whole life
	Lifetime   *float64 `json:"lifetime_seconds"`
	Source     string   `json:"source"`
	Within     *float64 `json:"within_seconds"`  // nobody saw the end: it came so long before Timestamp or later, CPU, read and write are at least, Lifetime at most; nil where it was seen
	Cause      string   `json:"cause,omitempty"` // of an exit that [WithCauses] joined: signal, kill or oom
}

// Gap is something that is missing from the recording.
type Gap struct {
	Timestamp   float64        `json:"timestamp"` // when the log stored the message at which it was noticed, Unix seconds
	Host        string         `json:"host"`      // empty when it concerns no single host
	Stream      string         `json:"stream"`
	Kind        schema.GapKind `json:"kind"`         // one of [schema.GapKinds], or one that a newer producer sent
	MessageKind *string        `json:"message_kind"` // of the items that are missing
	Count       *int64         `json:"count"`        // how many; nil when unknown
	From        *float64       `json:"from_time"`
	To          *float64       `json:"to_time"`
	Details     string         `json:"details"`
}

// HistoryPoint is one process in one snapshot, or over one minute, of its history.
type HistoryPoint struct {
	Timestamp float64 `json:"timestamp"` // of the snapshot, Unix seconds
	Host      string  `json:"host"`
	BootID    string  `json:"boot_id"`
	// Resolution is 60 for a minute that has left full resolution, and 0 for a single snapshot.
	Resolution float64 `json:"resolution_seconds,omitzero"`
	Process
	place position
}

// Knows reports whether the value of a key of the contract is known.
func (p *Process) Knows(key string) bool { return !slices.Contains(p.Unknown, key) }

// measure sets what was measured, and names what is unknown of what the contract names.
func (p *Process) measure(id metric.ID, v schema.Opt[int64]) {
	p.set(id, v)
	if !v.Known && id.InContract() {
		p.Unknown = append(p.Unknown, metric.Table[id].Key)
	}
}
