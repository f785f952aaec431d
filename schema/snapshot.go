package schema

// TicksPerSecond is the unit of a process's start time: USER_HZ, 100 on every Linux that matters (time(7)).
const TicksPerSecond = 100

// Snapshot is a host and all its processes at one time.
type Snapshot struct {
	Interval    int64    `json:"interval_ns"` // the sampler's period
	Tick        uint64   `json:"tick"`        // number of the period since the sampler started; a jump is a missed tick
	DaemonPID   int      `json:"daemon_pid"`
	DaemonRSS   uint64   `json:"daemon_rss_kib"`
	Uptime      int64    `json:"recorder_uptime_ns"` // how long the sampler has run
	CPUs        int      `json:"cpus"`               // processors online
	MemoryTotal uint64   `json:"memory_total_kib"`
	MemoryAvail uint64   `json:"memory_available_kib"`
	Load        [3]int64 `json:"load_x100"` // load averages over 1, 5 and 15 minutes, in hundredths as /proc/loadavg gives them
	// Pressure is the kernel's stall information (Documentation/accounting/psi.rst); nil where the kernel has none.
	Pressure      *Pressure     `json:"pressure,omitempty"`
	PressureLevel string        `json:"pressure_level"` // none, low, medium, high or critical
	Partial       bool          `json:"partial"`        // the sampler could not see some processes of the host
	Hidden        int           `json:"hidden"`         // how many it could not see, where that is known
	Capabilities  []Capability  `json:"capabilities,omitempty"`
	RunningJobs   int           `json:"running_jobs"`
	ActiveSheets  int           `json:"active_sheets"`
	JobProgress   []JobProgress `json:"job_progress,omitempty"`
	GPUs          []GPU         `json:"gpus,omitempty"`
	Processes     []Process     `json:"processes"`
}

// Pressure holds the share of the last ten seconds in which some, or all, tasks stalled on a resource, in
// hundredths of a percent.
type Pressure struct {
	CPUSome    int64 `json:"cpu_some_x100"`
	MemorySome int64 `json:"memory_some_x100"`
	MemoryFull int64 `json:"memory_full_x100"`
	IOSome     int64 `json:"io_some_x100"`
	IOFull     int64 `json:"io_full_x100"`
}

// JobProgress is how far a running job has come, as its conductor reported it.
type JobProgress struct {
	JobID         string     `json:"job_id"`
	TotalSheets   Opt[int64] `json:"total_sheets"`
	LastCompleted Opt[int64] `json:"last_completed_sheet"`
	CurrentSheet  Opt[int64] `json:"current_sheet"`
	Status        string     `json:"status"`
}

// GPU is one accelerator. A value that the driver does not report is unknown.
type GPU struct {
	Index       int        `json:"index"`
	Utilization Opt[int64] `json:"utilization_x10"` // tenths of a percent
	MemoryUsed  Opt[int64] `json:"memory_used_kib"`
	MemoryTotal Opt[int64] `json:"memory_total_kib"`
	Temperature Opt[int64] `json:"temperature_x10"` // tenths of a degree Celsius
}

// Process is one process in one snapshot.
type Process struct {
	PID        int    `json:"pid"`
	PPID       int    `json:"ppid"`
	StartTicks uint64 `json:"start_ticks"` // hundredths of a second after boot: field 22 of proc_pid_stat(5)
	State      string `json:"state"`       // one letter as in proc_pid_stat(5): R S D Z T t I X
	// CPUPermille is the CPU used since the sample before, in thousandths of one core; 1000 is one core busy. For a
	// process that is sampled for the first time it is the mean over its life.
	CPUPermille Opt[int64] `json:"cpu_permille"`
	CPUMillis   uint64     `json:"cpu_ms"`  // user and system time since the process started
	RSS         Opt[int64] `json:"rss_kib"` // resident set, from statm
	VMS         Opt[int64] `json:"vms_kib"`
	Threads     int        `json:"threads"`
	OpenFDs     Opt[int64] `json:"open_fds"`
	UID         Opt[int64] `json:"uid"`
	Command     string     `json:"command"`         // scrubbed by the sampler
	JobID       string     `json:"job_id"`          // empty: none
	Sheet       Opt[int64] `json:"sheet_num"`       // the job's step
	ReadKiB     Opt[int64] `json:"read_kib"`        // storage reads since the process started
	WriteKiB    Opt[int64] `json:"write_kib"`       // storage writes since the process started
	Syscalls    []Syscall  `json:"syscalls"`        // of the interval traced, in the tracer's order; usually none
	Cgroup      string     `json:"cgroup,omitzero"` // path below the cgroup mount
	GPUMemory   Opt[int64] `json:"gpu_memory_kib"`  // on all GPUs together
}

// Syscall is what a tracer counted of one system call in its interval.
type Syscall struct {
	Name     string `json:"name"`
	Calls    uint64 `json:"count"`
	TimeX100 uint64 `json:"time_pct_x100"` // share of the traced time, in hundredths of a percent
}

// Age returns how long the process had run, in seconds, when the boot clock stood at boot.
func (p *Process) Age(boot int64) float64 {
	return float64(boot-int64(p.StartTicks)*(1e9/TicksPerSecond)) / 1e9
}

// Zombies returns the pids in state Z: they have ended, and their parents have not waited for them yet.
func (s *Snapshot) Zombies() []int64 {
	var pids []int64
	for i := range s.Processes {
		if s.Processes[i].State == "Z" {
			pids = append(pids, int64(s.Processes[i].PID))
		}
	}
	return pids
}
