package schema

import "github.com/proctape/proctape/schema/metric"

// Snapshot is a host and all its processes at one time.
type Snapshot struct {
	Interval    int64    `json:"interval_ns"`          // the sampler's period
	Tick        uint64   `json:"tick"`                 // number of the period since the sampler started; a jump is a missed tick
	DaemonPID   int      `json:"daemon_pid"`           // pid of the sampler
	DaemonRSS   uint64   `json:"daemon_rss_kib"`       // resident memory of the sampler
	Uptime      int64    `json:"recorder_uptime_ns"`   // how long the sampler has run
	CPUs        int      `json:"cpus"`                 // processors online
	MemoryTotal uint64   `json:"memory_total_kib"`     // of the host
	MemoryAvail uint64   `json:"memory_available_kib"` // of the host: MemAvailable of proc_meminfo(5)
	Load        [3]int64 `json:"load_x100"`            // load averages over 1, 5 and 15 minutes, in hundredths as /proc/loadavg gives them
	// Pressure is the kernel's stall information (Documentation/accounting/psi.rst); nil where the kernel has none.
	Pressure      *Pressure     `json:"pressure,omitempty"`
	PressureLevel string        `json:"pressure_level"`         // none, low, medium, high or critical
	Partial       bool          `json:"partial"`                // the sampler could not see some processes of the host
	Hidden        int           `json:"hidden"`                 // how many it could not see, where that is known
	Capabilities  []Capability  `json:"capabilities,omitempty"` // what the sampler can see
	RunningJobs   int           `json:"running_jobs"`           // jobs with a process
	ActiveSheets  int           `json:"active_sheets"`          // steps (sheets) of jobs with a process
	JobProgress   []JobProgress `json:"job_progress,omitempty"` // of the jobs that conductors reported
	GPUs          []GPU         `json:"gpus,omitempty"`         // of the host
	Processes     Processes     `json:"processes"`              // by pid, rising
	HostValues    HostValues    `json:"host_values,omitzero"`   // of the host, beside the above
}

// Pressure holds the share of the last ten seconds in which some, or all, tasks stalled on a resource, in
// hundredths of a percent. One that could not be read is unknown.
type Pressure struct {
	CPUSome    Opt[int64] `json:"cpu_some_x100"`    // some tasks waited for a processor
	MemorySome Opt[int64] `json:"memory_some_x100"` // some tasks waited for memory
	MemoryFull Opt[int64] `json:"memory_full_x100"` // all tasks waited for memory
	IOSome     Opt[int64] `json:"io_some_x100"`     // some tasks waited for storage
	IOFull     Opt[int64] `json:"io_full_x100"`     // all tasks waited for storage
}

// JobProgress is how far a running job has come, as its conductor reported it.
type JobProgress struct {
	JobID         string     `json:"job_id"`               // the job; empty for none
	TotalSheets   Opt[int64] `json:"total_sheets"`         // steps that the job has
	LastCompleted Opt[int64] `json:"last_completed_sheet"` // the last step that is done
	CurrentSheet  Opt[int64] `json:"current_sheet"`        // the step that runs
	Status        string     `json:"status"`               // a word, such as running or failed
	Fleet         bool       `json:"fleet,omitzero"`       // the job is one of the fleet, and not this host's own
}

// GPU is one accelerator. A value that the driver does not report is unknown.
type GPU struct {
	Index       int        `json:"index"`            // number of the GPU
	Utilization Opt[int64] `json:"utilization_x10"`  // tenths of a percent
	MemoryUsed  Opt[int64] `json:"memory_used_kib"`  // in use
	MemoryTotal Opt[int64] `json:"memory_total_kib"` // of the host
	Temperature Opt[int64] `json:"temperature_x10"`  // tenths of a degree Celsius
}

// Zombies returns the pids in state Z: they have ended, and their parents have not waited for them yet.
func (s *Snapshot) Zombies() []int64 {
	var pids []int64
	for row, pid := range s.Processes.numbers[metric.PID] {
		if numberOf(&s.Processes, metric.State, row) == 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids
}
