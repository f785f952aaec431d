package bpf

import (
	"bytes"
	"math/bits"
	"os"
	"time"
	"unsafe"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// record is what the kernel writes of a process. Its comments stand in kernel/processes.bpf.c.
type record = processesProcessRecord

// What a record says that it knows, as in kernel/processes.bpf.c.
const (
	knownMemory = 1 << iota
	knownDescriptors
	knownIO
	knownRunDelay
	knownDescriptorLimit
	knownNetwork
)

// kernelThread is PF_KTHREAD of Linux include/linux/sched.h.
const kernelThread = 0x00200000

const nsPerTick = uint64(time.Second / schema.TicksPerSecond)

// scale turns pages into KiB.
type scale struct{ pageKiB uint64 }

func newScale() scale { return scale{uint64(os.Getpagesize() / 1024)} }

// fill makes g of r. Full says that memory and descriptors are in every record.
func (s scale) fill(g *procfs.Given, r *record, full bool) {
	comm := commOf(&r.Comm)
	kernel := r.Flags&kernelThread != 0
	g.Comm, g.Program, g.Groups, g.Runtime, g.Thread = comm, r.Program, r.Groups, time.Duration(r.Runtime), 0
	if r.Living != r.Pid {
		g.Thread = int(r.Living)
	}
	g.Kept = !full && r.Known&(knownMemory|knownDescriptors) == 0 && !kernel
	p := &g.Numbers
	*p = procfs.Process{
		PID: int(r.Pid), PPID: int(r.Ppid), StartTicks: r.Start / nsPerTick, State: stateLetter(r.State, r.Ending),
		Kernel: kernel, Threads: int(r.Threads), CPUTicks: r.Runtime / nsPerTick, CPUKnown: true,
		StatCounters: procfs.StatCounters{MinorFaults: r.MinFlt, MajorFaults: r.MajFlt}, FaultsKnown: true,
		UID: int(r.Euid), UIDKnown: true, ReadAt: time.Duration(r.ReadAt),
	}
	if !kernel {
		s.fillProgram(p, r)
	}
}

// fillProgram adds what a kernel thread has not.
func (s scale) fillProgram(p *procfs.Process, r *record) {
	if p.MemoryKnown = r.Known&knownMemory != 0; p.MemoryKnown {
		p.MemoryValues = procfs.MemoryValues{RSSKiB: uint64(r.Rss) * s.pageKiB, VMSKiB: r.TotalVm * s.pageKiB}
	}
	if p.FDsKnown = r.Known&knownDescriptors != 0; p.FDsKnown {
		p.OpenFDs = int(r.Fds)
	}
	if p.FDLimitKnown = r.Known&knownDescriptorLimit != 0; p.FDLimitKnown {
		p.FDLimit = int(r.FdLimit)
	}
	if p.IOKnown = r.Known&knownIO != 0; p.IOKnown {
		p.IOValues = procfs.IOValues{ReadBytes: r.ReadBytes, WriteBytes: r.WriteBytes, CancelledBytes: r.CancelledBytes}
	}
	if p.NetworkKnown = r.Known&knownNetwork != 0; p.NetworkKnown {
		p.NetworkValues = procfs.NetworkValues{SentBytes: r.NetworkSent, ReceivedBytes: r.NetworkReceived}
	}
	p.StatusValues = procfs.StatusValues{VoluntarySwitches: r.Nvcsw, InvoluntarySwitches: r.Nivcsw,
		SwapKiB: uint64(r.Swap) * s.pageKiB, HugetlbKiB: uint64(r.Hugetlb) * s.pageKiB}
	p.StatusKnown = p.MemoryKnown // swap is of the same sums
	if p.RunDelayKnown = r.Known&knownRunDelay != 0; p.RunDelayKnown {
		p.RunDelay = r.RunDelay
	}
}

// Bits of a task's state, Linux include/linux/sched.h.
const (
	stateReport      = 0x7f   // TASK_REPORT: what has a letter
	stateBlocked     = 0x2    // TASK_UNINTERRUPTIBLE
	stateIdle        = 0x402  // TASK_IDLE
	stateWaitsOnLock = 0x1000 // TASK_RTLOCK_WAIT
	stateFrozen      = 0x8000 // TASK_FROZEN
)

// stateLetter is the letter that /proc has for a state: task_state_index of Linux include/linux/sched.h.
func stateLetter(state, ending uint32) byte {
	index := bits.Len32((state | ending) & stateReport)
	switch {
	case state&stateIdle == stateIdle:
		return 'I'
	case state&(stateWaitsOnLock|stateFrozen) != 0:
		return 'D'
	}
	return "RSDTtXZP"[index]
}

// commOf is a short name without what follows it.
func commOf(comm *[16]int8) []byte {
	name := unsafe.Slice((*byte)(unsafe.Pointer(&comm[0])), len(comm))
	if end := bytes.IndexByte(name, 0); end >= 0 {
		return name[:end]
	}
	return name
}
