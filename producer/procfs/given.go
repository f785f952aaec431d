package procfs

import (
	"iter"
	"time"
)

// Given is a process whose numbers are known from elsewhere than its files, such as from the kernel itself. What only the
// files tell is read of them: the command line, the environment and the control group.
type Given struct {
	// Numbers are what is known. Args, Env and Cgroup of it are not used, nor is Comm.
	Numbers Process
	// Comm is the name of the first thread. It may change after the call.
	Comm []byte
	// Program is another number after the process has executed another program.
	Program uint64
	// Groups is another number after the process has moved to another control group.
	Groups uint64
	// Runtime is its CPU time. One that has the same as before has not run since.
	Runtime time.Duration
	// Thread is one that lives although the first has ended; 0 while that lives.
	Thread int
	// Kept says that memory and descriptors are not known anew: it has not got a processor since they were given last.
	Kept bool
}

// GivenScan is [FS.Processes] for processes that are given, in the order of their pids. Memory and swap that are not given are
// read of the files of what ran, and so is process 1, if it is not given: Linux 6.18 leaves it out of what its programs may go
// through. The error is for the table as a whole.
func (fs *FS) GivenScan(dst []Process, given iter.Seq[*Given], opt Options) (Scan, error) {
	if err := fs.open(); err != nil {
		return Scan{}, err
	}
	fs.begin()
	scan := Scan{Processes: dst[:0]}
	firstSeen := false
	for g := range given {
		if !firstSeen && g.Numbers.PID != 1 {
			fs.scanFirst(opt, &scan)
		}
		firstSeen = true
		e := fs.entries.of(g.Numbers.PID)
		e.scan = fs.scan
		fs.take(e, g, opt)
		fs.count(e.failed)
		scan.Processes = append(scan.Processes, e.process)
	}
	if len(scan.Processes) < len(fs.entries) {
		fs.dropUnlisted()
	}
	fs.end(&scan, len(scan.Processes) > 0 && scan.Processes[0].PID == 1)
	return scan, nil
}

// scanFirst reads the files of process 1.
func (fs *FS) scanFirst(opt Options, scan *Scan) {
	e := fs.entries.of(1)
	if !fs.scanOne(e, listedPID{1, e.inode}, opt, scan) {
		fs.release(e)
		delete(fs.entries, 1)
	}
}

// take brings e up to date with what is given of it.
func (fs *FS) take(e *entry, g *Given, opt Options) {
	now := given{g.Program, g.Groups, g.Runtime, true}
	if !e.given.known || e.process.StartTicks != g.Numbers.StartTicks {
		fs.release(e)
		e.reset() // the pid is in use again, or its files were read until now
	}
	before := e.given
	first := !before.known
	ran := first || before.runtime != now.runtime
	renewed := first || before.program != now.program
	e.storeGiven(g)
	e.given, e.thread = now, g.Thread
	e.applyLateAnswer()
	if renewed && !first {
		e.markCommandUnread()
	}
	if e.process.Kernel {
		return
	}
	e.argsOutdated = e.argsOutdated || ran
	turn := fs.isTurn(e.pid, fullEvery)
	missing := g.Kept && ran // it gave up its processor after it was given last, and has not had one since
	readMemory := missing || !g.Kept && !g.Numbers.MemoryKnown && (ran || turn)
	need := needs{cgroup: renewed || before.groups != now.groups, memory: readMemory, status: readMemory, usage: missing}
	if !endedState(e.process.State) && e.lateAnswer == nil {
		need.env = renewed || e.argsDue && turn
		need.args = need.env || e.argsOutdated && turn
	}
	fs.readNeeds(e, need, opt)
}

// storeGiven takes over what is given, and keeps of what was known what is not.
func (e *entry) storeGiven(g *Given) {
	p, old := &e.process, e.process
	*p = g.Numbers
	p.Args, p.ArgsTruncated, p.ArgsKnown = old.Args, old.ArgsTruncated, old.ArgsKnown || p.Kernel
	p.Env, p.EnvUID, p.Cgroup, p.Comm = old.Env, old.EnvUID, old.Cgroup, old.Comm
	if p.Comm != string(g.Comm) {
		p.Comm = string(g.Comm)
	}
	if !p.MemoryKnown {
		p.MemoryValues, p.MemoryKnown = old.MemoryValues, old.MemoryKnown
		p.SwapKiB, p.HugetlbKiB, p.StatusKnown = old.SwapKiB, old.HugetlbKiB, old.StatusKnown
	}
	if g.Kept {
		p.OpenFDs, p.FDsKnown = old.OpenFDs, old.FDsKnown
		p.FDLimit, p.FDLimitKnown = old.FDLimit, old.FDLimitKnown
	}
	p.dropImpossible()
}

// dropImpossible makes unknown what no machine can have.
func (p *Process) dropImpossible() {
	if p.MemoryKnown = p.MemoryKnown && p.RSSKiB <= maxKiB && p.VMSKiB <= maxKiB; !p.MemoryKnown {
		p.MemoryValues = MemoryValues{}
	}
	if p.IOKnown = p.IOKnown && max(p.ReadBytes, p.WriteBytes, p.CancelledBytes) <= maxBytes; !p.IOKnown {
		p.IOValues = IOValues{}
	}
	if p.NetworkKnown = p.NetworkKnown && max(p.SentBytes, p.ReceivedBytes) <= maxBytes; !p.NetworkKnown {
		p.NetworkValues = NetworkValues{}
	}
	if p.StatusKnown = p.StatusKnown && max(p.VoluntarySwitches, p.InvoluntarySwitches) <= maxCount && max(p.SwapKiB, p.HugetlbKiB) <= maxKiB; !p.StatusKnown {
		p.StatusValues = StatusValues{}
	}
	if p.FaultsKnown = p.FaultsKnown && max(p.MinorFaults, p.MajorFaults) <= maxCount; !p.FaultsKnown {
		p.StatCounters = StatCounters{}
	}
	if p.CPUKnown = p.CPUKnown && p.CPUTicks <= maxCPUTicks; !p.CPUKnown {
		p.CPUTicks = 0
	}
}
