package procfs

import "time"

// Host is the state of the whole machine, or of the container that /proc belongs to.
type Host struct {
	// Memory is physical memory.
	Memory Memory
	// Load1, Load5 and Load15 are the average numbers of processes running or waiting for disk, over the last one, five
	// and fifteen minutes. Source: loadavg, man proc_loadavg(5).
	Load1, Load5, Load15 float64
	LoadKnown            bool // loadavg could be read
	// Uptime is the time since boot, suspend included, to 10 ms; 0 when it is not known. Source: uptime, man proc_uptime(5).
	Uptime time.Duration
	// CPUs is the number of CPUs online; 0 when it is not known. Source: the cpuN lines of stat, man proc_stat(5).
	CPUs int
	// CPU is the time all CPUs together spent since boot; all 0 when it is not known.
	CPU CPUTimes
	// Forks is how many processes and threads were started since boot, in all namespaces; 0 when it is not known. Source: the line
	// processes of stat, man proc_stat(5).
	Forks uint64
	// Pressure is how much work stalls for want of a resource.
	Pressure Pressure
	// NoPressure says why the kernel does not measure it: ENOENT, wrapped, for a kernel that cannot, EOPNOTSUPP for one that
	// was not told to. Nil when it does.
	NoPressure error
	// Failures are the files that could not be read or made no sense. What they would tell is unknown.
	Failures []Failure
}

// Memory is physical memory in KiB. What is in use is the total less what is available. Source: meminfo, man
// proc_meminfo(5).
type Memory struct {
	TotalKiB       uint64 // MemTotal; 0 when it is not known
	AvailableKiB   uint64 // MemAvailable: what programs can have without swapping
	AvailableKnown bool
	HugetlbKiB     uint64 // Hugetlb: memory reserved in huge pages of all sizes, which no program has as ordinary memory
	HugetlbFreeKiB uint64 // HugePages_Free, of the default size alone: of the above, what is not in use
	HugetlbKnown   bool   // the kernel has huge pages, and tells
}

// CPUTimes is the time that all CPUs together spent in each mode since boot, in clock ticks (1/100 s). IOWait may
// decrease. Source: the cpu line of stat, man proc_stat(5).
type CPUTimes struct {
	User    uint64 // user mode, guests included
	Nice    uint64 // user mode at low priority, guests included
	System  uint64 // kernel mode
	Idle    uint64 // nothing to do
	IOWait  uint64 // nothing to do until a disk answers
	IRQ     uint64 // interrupts
	SoftIRQ uint64 // deferred work of interrupts
	Steal   uint64 // taken by the hypervisor for others
}

// Pressure is how much work stalls for want of CPU, memory and I/O. Source: the directory pressure, Linux
// Documentation/accounting/psi.rst.
type Pressure struct {
	CPU, Memory, IO PressureStall
}

// PressureStall is the time during which tasks stalled. Neither line is known when the file could not be read.
type PressureStall struct {
	Some PressureLine // at least one task stalled
	Full PressureLine // all tasks that had work stalled; not known for the CPU before Linux 5.13
}

// PressureLine is one measure of stalling.
type PressureLine struct {
	Known bool          // the kernel states it; the others are zero if not
	Avg10 float64       // share of the last ten seconds, in percent
	Total time.Duration // since boot, on CLOCK_MONOTONIC, to 1 us
}
