package procfs

import "time"

// Process is one process as it was when its stat file was read.
//
// CPU, fault and thread figures and the state are exact at ReadAt. Memory, I/O and descriptor figures and the owner are
// read again when one of those changed, and otherwise at every tenth scan; for a process that has not run at all, at
// the first of these that is half a minute after the last.
// Args and Env are shared with later scans; callers must not change them.
type Process struct {
	// PID is the process's id in the pid namespace of the proc mount. Source: stat field 1, man proc_pid_stat(5).
	PID int
	// PPID is the parent's id, 0 for a process without one in this namespace. That a sleeping process has a new parent,
	// though the one before lives, may take half a minute and ten scans to show. Source: stat field 4.
	PPID int
	// StartTicks is when the process started, in clock ticks (1/100 s) since boot, on CLOCK_BOOTTIME. A pid together with
	// its start is one process. Source: stat field 22.
	StartTicks uint64
	// State is the scheduler's letter: R running, S sleeping, D waiting in the kernel, Z zombie, T stopped, t traced,
	// I idle kernel thread, X dead. For a process of many threads it is that of the first, or of another when the first has
	// ended and others live. Source: stat field 3.
	State byte
	// Comm is the name of the first thread: 15 bytes at most (more for kernel threads), any byte but NUL. A zombie keeps
	// its own. Source: stat field 2.
	Comm string

	// Args is the command line, without empty arguments at its end. The process may have rewritten it, which shows at the
	// tenth scan after that at the latest. It is empty for kernel threads. A zombie keeps what was read while it lived.
	// Source: cmdline, man proc_pid_cmdline(5).
	Args []string
	// ArgsTruncated says that the command line was longer than 16 KiB and that Args holds its beginning and its end, as
	// [ShortArgs] does.
	ArgsTruncated bool
	// ArgsKnown is false when the command line could not be read, or was empty: not permitted, too late, stuck in the
	// kernel, or erased by the process.
	ArgsKnown bool

	// Kernel says that this is a kernel thread. Source: stat field 9, flag PF_KTHREAD of Linux include/linux/sched.h.
	Kernel bool
	// Threads is the number of threads. Source: stat field 20.
	Threads int
	// CPUTicks is the user and system time of all threads since the start, ended ones included and child processes not,
	// in clock ticks (1/100 s). Source: stat fields 14 and 15.
	CPUTicks uint64
	// CPUKnown is false when these fields made no sense, or stat could not be read again. CPUTicks is what was known before.
	CPUKnown bool
	StatCounters
	// FaultsKnown is the same of StatCounters, which are zero then.
	FaultsKnown bool

	MemoryValues
	// MemoryKnown is false when statm was not read: always for kernel threads. MemoryValues are zero then.
	MemoryKnown bool

	// OpenFDs is the number of open file descriptors. Source: the size of the directory fd on Linux 6.2 and later (Linux
	// fs/proc/fd.c), else its entries.
	OpenFDs int
	// FDsKnown is false when the directory could not be read: not permitted, too late, or a kernel thread.
	FDsKnown bool
	// FDLimit is how many the process may have open, its soft RLIMIT_NOFILE; 1<<31 for one without a limit, which
	// Linux grants nobody. Source: limits, man proc_pid_limits(5).
	FDLimit int
	// FDLimitKnown is false when limits was not read: of a process with fewer than 256 descriptors, or with an
	// unknown number of them, or too late.
	FDLimitKnown bool

	IOValues
	// IOKnown is false when io could not be read: not permitted, too late, or a kernel thread. IOValues are zero then.
	IOKnown bool

	NetworkValues
	// NetworkKnown is false where nobody counts them: by /proc alone, on Linux before 6.3, or a kernel thread. NetworkValues are zero then.
	NetworkKnown bool

	StatusValues
	// StatusKnown is false when status was not read: not permitted, too late, or a kernel thread. StatusValues are zero then.
	StatusKnown bool

	// RunDelay is how long the first thread waited for a processor since the start, in nanoseconds. It may be five seconds
	// old. Source: schedstat field 2, Linux Documentation/scheduler/sched-stats.rst.
	RunDelay uint64
	// RunDelayKnown is false when schedstat was not read: too late, a kernel thread, or a kernel that does not count.
	RunDelayKnown bool

	// UID is the owner of the process's directory: the effective user, or root for a process that may not be dumped.
	// Source: man proc_pid(5).
	UID int
	// UIDKnown is false when the owner could not be read.
	UIDKnown bool

	// Cgroup is the path of the process's control group in the version 2 hierarchy, else in systemd's, else in the
	// first; empty when not known. It may be a minute old. Source: cgroup, man cgroups(7).
	Cgroup string

	// Env holds those of the variables named in Options.EnvKeys that the process was started with. It is nil when the
	// environment could not be read or none was asked for. It is empty for a program whose file is set-user-ID or
	// set-group-ID: another user chose its environment. Source: environ, man proc_pid_environ(5).
	Env map[string]string
	// EnvUID is the real user of the process when Env was read. It has no meaning while Env is empty. Source: status, man
	// proc_pid_status(5).
	EnvUID int

	// ReadAt is when stat was read, or known not to have changed, as time since boot on CLOCK_BOOTTIME.
	ReadAt time.Duration
}

// StatCounters are what stat counts of a process since its start, beside its CPU.
type StatCounters struct {
	// MinorFaults and MajorFaults count page faults, without and with a read from disk. Source: stat fields 10 and 12.
	MinorFaults, MajorFaults uint64
}

// MemoryValues are what statm says of a process, man proc_pid_statm(5), which is exact where stat is not. They are 0 for a zombie.
type MemoryValues struct {
	// RSSKiB is resident and VMSKiB virtual memory, in KiB.
	RSSKiB, VMSKiB uint64
}

// IOValues are what io says of a process, man proc_pid_io(5).
type IOValues struct {
	// ReadBytes and WriteBytes are what the process caused to be read from and written to storage since its start, in
	// bytes. Both jump when the process reaps a child, by the child's figures. Source: io fields read_bytes and write_bytes.
	ReadBytes, WriteBytes uint64
	// CancelledBytes is what of WriteBytes never reached storage, because what was written was deleted or cut before:
	// bytes of files whose pages this process dropped, whoever wrote them. Source: io field cancelled_write_bytes.
	CancelledBytes uint64
}

// NetworkValues are what a process sent and received over IP sockets since it started, or since the recorder did where that was later, in bytes, without
// headers and with what stayed on the machine. /proc does not have them: package bpf counts them.
type NetworkValues struct {
	SentBytes, ReceivedBytes uint64
}

// StatusValues are what status says of a process, man proc_pid_status(5). They may be five seconds old.
type StatusValues struct {
	// VoluntarySwitches and InvoluntarySwitches count how often the first thread gave up its processor by itself, and how
	// often it was made to.
	VoluntarySwitches, InvoluntarySwitches uint64
	// SwapKiB is memory in swap, in KiB: 0 of a zombie. Source: status field VmSwap.
	SwapKiB uint64
	// HugetlbKiB is memory in huge pages of hugetlbfs, in KiB, which resident memory does not hold. Source: status field
	// HugetlbPages.
	HugetlbKiB uint64
}

// Options say what a scan reads. The zero value is ready to use. They should stay the same from scan to scan: Env, for
// one, is read only when a process is first seen and when it executes another program.
type Options struct {
	// KernelThreads includes kernel threads, of which stat and the owner alone are read.
	KernelThreads bool
	// EnvKeys names the environment variables to keep. All others are discarded as soon as they are read.
	EnvKeys []string
}

// Scan is the process table as one pass over /proc found it.
type Scan struct {
	// Processes is sorted by pid, ascending.
	Processes []Process
	// Hidden counts the processes that are listed but that we may not read (mount option hidepid=1, man proc(5)).
	Hidden int
	// Partial says that other users' processes are invisible, so that Processes is not the whole table: some are Hidden,
	// or process 1, which every pid namespace has, is not to be seen (hidepid=2).
	Partial bool
	// Lost counts the processes that are listed but left out, because their stat cannot be read, for another reason than the
	// two above, or does not say which process it is.
	Lost int
	// IODenied counts the processes whose I/O this scan tried to read and was not permitted to.
	IODenied int
	// Vanished counts the processes that ended between being listed and being read.
	Vanished int
	// Stuck counts the reads of a command line or environment that have not returned from the kernel.
	Stuck int
	// Failures are the files of processes, those of Lost ones too, that could not be read or made no sense.
	Failures []Failure
}
