package schema

// Capability is something that a sampler observed that it can see on its machine. A snapshot lists those of its sampler.
// Another producer, or a later version, may list some that this build does not know.
type Capability string

// The capabilities. Each has a [CapabilityInfo] in [Capabilities].
const (
	CapProcesses       Capability = "processes"
	CapIO              Capability = "io"
	CapPSI             Capability = "psi"
	CapArgvFull        Capability = "argv-full"
	CapArgvScrubbed    Capability = "argv-scrubbed"
	CapArgvNone        Capability = "argv-none"
	CapEventsBPF       Capability = "events-bpf"
	CapEventsTaskstats Capability = "events-taskstats"
	CapEventsConnector Capability = "events-connector"
	CapEventsPidfd     Capability = "events-pidfd"
	CapEventsScan      Capability = "events-proc-diff"
	CapOOM             Capability = "oom"
	CapGPU             Capability = "gpu"
	CapSyscalls        Capability = "syscalls"
	CapSyscallCounts   Capability = "syscall-counts"
	CapBPF             Capability = "bpf"
	CapSimulated       Capability = "simulated"
)

// CapabilityInfo describes a capability.
type CapabilityInfo struct {
	Capability Capability
	// Source says that the capability names the source of starts and ends. A snapshot lists exactly one such capability.
	Source bool
	// Argv says that the capability names how much of a command line is published. A snapshot lists exactly one such.
	Argv bool
	// SeesAll says that the source sees every start and end of a process, however short its life.
	SeesAll bool
	// Totals says that every end comes with what the process used: CPU, memory and I/O.
	Totals bool
	Doc    string // one line for people
}

// capabilities is the one list of capabilities.
var capabilities = [...]CapabilityInfo{
	{Capability: CapProcesses, Doc: "every process of the machine"},
	{Capability: CapIO, Doc: "bytes read and written by every process"},
	{Capability: CapPSI, Doc: "pressure stall information"},
	{Capability: CapArgvFull, Argv: true, Doc: "command lines as they are, secrets in them included"},
	{Capability: CapArgvScrubbed, Argv: true, Doc: "command lines, with what looks like a secret masked"},
	{Capability: CapArgvNone, Argv: true, Doc: "program names, no arguments"},
	{Capability: CapEventsBPF, Source: true, SeesAll: true, Totals: true,
		Doc: "every start, exec and end of a process by programs in the kernel, with arguments, exit code, CPU, peak memory, I/O and who sent the signal"},
	{Capability: CapEventsTaskstats, Source: true, SeesAll: true, Totals: true,
		Doc: "every start, exec and end of a process, with exit code, CPU, peak memory and I/O"},
	{Capability: CapEventsConnector, Source: true, SeesAll: true,
		Doc: "every start, exec and end of a process, with exit code; no CPU, memory or I/O of what lives between two samples"},
	{Capability: CapEventsPidfd, Source: true,
		Doc: "starts and ends of processes that live for a second, with exit code; nothing of what lives shorter"},
	{Capability: CapEventsScan, Source: true,
		Doc: "starts and ends by comparing samples: no exit codes, and nothing of what lives between two samples"},
	{Capability: CapOOM, Doc: "kills for want of memory, told apart from others by the kernel's log"},
	{Capability: CapGPU, Doc: "load and memory of GPUs"},
	{Capability: CapSyscalls, Doc: "system calls of a process on demand, by strace, which slows it down 60 to 200 times meanwhile"},
	{Capability: CapSyscallCounts, Doc: "system calls of all processes that ask for it, counted by programs in the kernel"},
	{Capability: CapBPF, Doc: "processes read by programs in the kernel, for a fraction of what /proc costs"},
	{Capability: CapSimulated, Totals: true, Doc: "nothing: the host is made up"},
}

// Capabilities are all capabilities that this build knows. The caller may change the slice.
func Capabilities() []CapabilityInfo { return append([]CapabilityInfo(nil), capabilities[:]...) }

// Info describes the capability. Known is false for one that this build does not know.
func (c Capability) Info() (info CapabilityInfo, known bool) {
	for _, info := range capabilities {
		if info.Capability == c {
			return info, true
		}
	}
	return CapabilityInfo{Capability: c}, false
}
