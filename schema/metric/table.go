package metric

import "github.com/proctape/proctape/schema/column"

//go:generate go run ./generate

// The columns. A new one is appended: the numbers before it stay.
const (
	PID ID = iota
	PPID
	StartTicks
	UID
	Sheet
	Command
	Cgroup
	JobID
	State
	Threads
	VMS
	RSS
	OpenFDs
	GPUMemory
	CPUPermille
	CPUMillis
	ReadKiB
	WriteKiB
	MinorFaults
	MajorFaults
	VoluntarySwitches
	InvoluntarySwitches
	Swap
	Hugetlb
	RunDelay
	Cancelled
	Fleet
	FDLimit
	Sent
	Received
	Count // how many there are
)

// The longest texts, and the largest numbers that a machine can have.
const (
	MaxCommand = 4096 + 3 // bytes; a long command has "…" in its middle
	MaxName    = 256      // bytes of a job id, and of any other name
	MaxFDs     = 1 << 31  // file descriptors: more than Linux lets fs.nr_open be

	maxPID   = 1<<22 - 1                // PID_MAX_LIMIT of Linux include/linux/threads.h, less one
	maxTicks = (1<<63 - 1) / 10_000_000 // the start in nanoseconds fits 63 bits
	maxKiB   = 1 << 46                  // of memory: what 56 bits of address reach
	maxCount = 1 << 50                  // of what grows
)

// ManyFDs is how many file descriptors a process must have open for its limit to be read: hardly any has so many, and nothing is to be said of the limit of
// one that has few.
const ManyFDs = 256

// Contract are the metrics that the contract names, in the order in which lines have them.
var Contract = []ID{State, CPUPermille, RSS, VMS, Threads, OpenFDs}

// Table describes the columns, by ID.
var Table = [Count]Metric{
	PID: {Field: "PID", Go: "int", Name: "pid", Kind: Identity, Mode: column.Rising, Limit: maxPID, Sampled: true, Key: "pid",
		Doc: "Process id in the sampler's pid namespace. Rises from process to process of a snapshot."},
	PPID: {Field: "PPID", Go: "int", Name: "ppid", Kind: Identity, Mode: column.Delta, Limit: maxPID, Sampled: true, Key: "ppid",
		Doc: "Process id of the parent; 0 for none in this namespace."},
	StartTicks: {Field: "StartTicks", Go: "uint64", Name: "start_ticks", Kind: Identity, Unit: Ticks, Mode: column.Delta, Limit: maxTicks, Sampled: true,
		Key: "start_ticks", Doc: "When the process started, in hundredths of a second after boot: field 22 of proc_pid_stat(5)."},
	UID: {Field: "UID", Name: "uid", Kind: Identity, Mode: column.Runs, Limit: 1<<32 - 1, Sampled: true,
		Doc: "Effective user id."},
	Sheet: {Field: "Sheet", Name: "sheet_num", Kind: Identity, Mode: column.Runs, Limit: 1 << 31, Sampled: true, Key: "sheet_num",
		Doc: "The job's step (sheet) that the process belongs to."},
	Command: {Field: "Command", Go: "string", Name: "command", Kind: Text, Mode: column.Delta, Limit: MaxCommand, Sampled: true, Key: "command",
		Doc: "Command line, scrubbed by the sampler. Of a long one the beginning and the end, with \"…\" between."},
	Cgroup: {Field: "Cgroup", Go: "string", Name: "cgroup", Kind: Text, Mode: column.Runs, Limit: MaxCommand, Sampled: true,
		Doc: "Path of the control group below the cgroup mount; empty when not known."},
	JobID: {Field: "JobID", Go: "string", Name: "job_id", Kind: Text, Mode: column.Runs, Limit: MaxName, Sampled: true, Key: "job_id",
		Doc: "The job that the process belongs to; empty for none."},
	State: {Field: "State", Go: "string", Name: "state", Kind: Letter, Mode: column.Sparse, Limit: 'z', Sampled: true, Key: "state",
		Default: 'S', Rollup: Last,
		Doc: "Scheduler state, one letter as in proc_pid_stat(5): R S D Z T t I X."},
	Threads: {Field: "Threads", Go: "int", Name: "threads", Kind: Gauge, Unit: Counted, Mode: column.Runs, Limit: maxPID, Sampled: true, Key: "threads",
		Default: 1, Rollup: Last,
		Doc: "Threads."},
	VMS: {Field: "VMS", Name: "vms_kib", Kind: Gauge, Unit: KiB, Mode: column.Plain, Pages: true, Limit: maxKiB, Sampled: true, Key: "vms_mb",
		Rollup: Last,
		Doc:    "Virtual memory, from statm."},
	RSS: {Field: "RSS", Name: "rss_kib", Kind: Gauge, Unit: KiB, Mode: column.Plain, Pages: true, Limit: maxKiB, Sampled: true, Key: "rss_mb",
		Rollup: Spread, Spread: "rss",
		Doc: "Resident memory, from statm."},
	OpenFDs: {Field: "OpenFDs", Name: "open_fds", Kind: Gauge, Unit: Counted, Mode: column.Plain, Limit: MaxFDs, Sampled: true, Key: "open_fds",
		Rollup: Last,
		Doc:    "Open file descriptors."},
	GPUMemory: {Field: "GPUMemory", Name: "gpu_memory_kib", Kind: Gauge, Unit: KiB, Mode: column.Plain, Limit: maxKiB, Sampled: true, Key: "gpu_memory_mb",
		InLine: true, Rollup: Spread, Spread: "gpu_memory",
		Doc: "Memory on all GPUs together."},
	CPUPermille: {Field: "CPUPermille", Name: "cpu_permille", Kind: Gauge, Unit: Permil, Mode: column.Sparse, Limit: 1 << 30, Sampled: true, Key: "cpu_percent",
		Answer: "CPUPercent", Rollup: Spread, Spread: "cpu",
		Doc: "CPU used since the sample before; of a process that began since then, the mean over its life."},
	CPUMillis: {Field: "CPUMillis", Go: "uint64", Name: "cpu_ms", Kind: Counter, Unit: Millis, Mode: column.Plain, Limit: maxCount, Sampled: true,
		Key: "cpu_seconds", Answer: "CPUSeconds", InLine: true, Rollup: Last,
		Doc: "User and system time since the process started."},
	ReadKiB: {Field: "ReadKiB", Name: "read_kib", Kind: Counter, Unit: KiB, Mode: column.Plain, Limit: maxCount, Sampled: true,
		Key: "read_mb", Answer: "Read", InLine: true, Rollup: Last,
		Doc: "Storage reads since the process started: read_bytes of proc_pid_io(5)."},
	WriteKiB: {Field: "WriteKiB", Name: "write_kib", Kind: Counter, Unit: KiB, Mode: column.Plain, Limit: maxCount, Sampled: true,
		Key: "write_mb", Answer: "Write", InLine: true, Rollup: Last,
		Doc: "Storage writes since the process started: write_bytes of proc_pid_io(5)."},
	MinorFaults: {Field: "MinorFaults", Name: "minor_faults", Kind: Counter, Unit: Counted, Mode: column.Plain, Limit: maxCount, Sampled: true,
		Key: "minor_faults", InLine: true, Rollup: Last,
		Doc: "Page faults without a read from disk since the process started: field 10 of proc_pid_stat(5)."},
	MajorFaults: {Field: "MajorFaults", Name: "major_faults", Kind: Counter, Unit: Counted, Mode: column.Plain, Limit: maxCount, Sampled: true,
		Key: "major_faults", InLine: true, Rollup: Last,
		Doc: "Page faults with a read from disk since the process started: field 12 of proc_pid_stat(5)."},
	VoluntarySwitches: {Field: "VoluntarySwitches", Name: "voluntary_switches", Kind: Counter, Unit: Counted, Mode: column.Plain, Limit: maxCount,
		Sampled: true, Key: "voluntary_switches", InLine: true, Rollup: Last,
		Doc: "How often the first thread gave up its processor by itself; may be five seconds old: proc_pid_status(5)."},
	InvoluntarySwitches: {Field: "InvoluntarySwitches", Name: "involuntary_switches", Kind: Counter, Unit: Counted, Mode: column.Plain, Limit: maxCount,
		Sampled: true, Key: "involuntary_switches", InLine: true, Rollup: Last,
		Doc: "How often the first thread was made to give up its processor; may be five seconds old: proc_pid_status(5)."},
	Swap: {Field: "Swap", Name: "swap_kib", Kind: Gauge, Unit: KiB, Mode: column.Sparse, Pages: true, Limit: maxKiB, Sampled: true,
		Key: "swap_mb", InLine: true, Rollup: Spread, Spread: "swap",
		Doc: "Memory in swap, of private pages; may be five seconds old: VmSwap of proc_pid_status(5)."},
	Hugetlb: {Field: "Hugetlb", Name: "hugetlb_kib", Kind: Gauge, Unit: KiB, Mode: column.Sparse, Pages: true, Limit: maxKiB, Sampled: true,
		Key: "hugetlb_mb", InLine: true, Rollup: Spread, Spread: "hugetlb",
		Doc: "Memory in huge pages of hugetlbfs, which resident memory does not hold; may be five seconds old: HugetlbPages of proc_pid_status(5)."},
	RunDelay: {Field: "RunDelay", Name: "run_delay_ms", Kind: Counter, Unit: Millis, Mode: column.Plain, Limit: maxCount, Sampled: true,
		Key: "run_delay_seconds", InLine: true, Rollup: Last,
		Doc: "How long the first thread waited for a processor; may be five seconds old: field 2 of schedstat."},
	Cancelled: {Field: "Cancelled", Name: "cancelled_write_kib", Kind: Counter, Unit: KiB, Mode: column.Sparse, Limit: maxCount, Sampled: true,
		Key: "cancelled_write_mb", InLine: true, Rollup: Last,
		Doc: "Of what was written, by whomever, what this process kept from reaching storage: cancelled_write_bytes of proc_pid_io(5)."},
	Fleet: {Field: "Fleet", Go: "bool", Name: "fleet", Kind: Flag, Mode: column.Runs, Limit: 1, Sampled: true, Key: "fleet",
		Doc: "The job is one of the fleet, and not this host's own."},
	FDLimit: {Field: "FDLimit", Name: "fd_limit", Kind: Gauge, Unit: Counted, Mode: column.Sparse, Limit: MaxFDs, Sampled: true, Key: "fd_limit",
		InLine: true, Rollup: Last,
		Doc: "How many file descriptors the process may have open, its soft RLIMIT_NOFILE; unknown of one that has fewer than 256: Max open files of proc_pid_limits(5)."},
	Sent: {Field: "Sent", Name: "sent_kib", Kind: Counter, Unit: KiB, Mode: column.Sparse, Limit: maxCount, Sampled: true,
		Key: "sent_mb", InLine: true, Rollup: Last,
		Doc: "Sent over IP sockets, loopback too, without headers, since the process or the sampler started, whichever was later; programs in the kernel count it."},
	Received: {Field: "Received", Name: "received_kib", Kind: Counter, Unit: KiB, Mode: column.Sparse, Limit: maxCount, Sampled: true,
		Key: "received_mb", InLine: true, Rollup: Last,
		Doc: "Received over IP sockets, likewise."},
}
