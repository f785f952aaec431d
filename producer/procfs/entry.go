package procfs

import (
	"strconv"
	"time"
)

// An entry is what is kept of one process between scans.
type entry struct {
	pid   int
	name  string // of the process's directory: its pid
	inode uint64 // of that directory when it was last listed
	scan  uint64 // the scan that last listed it

	statFD   int // kept descriptor of stat, or -1
	runsFD   int // kept descriptor of schedstat, or -1
	statmFD  int // kept descriptor of statm while the process is busy, or -1
	ioFD     int // kept descriptor of io while the process is busy, or -1
	statusFD int // kept descriptor of status while the process is busy, or -1

	known          bool          // it has been read: the fields below hold
	stat           stat          // without comm, which process holds
	statAt         time.Duration // when stat was read, on CLOCK_BOOTTIME
	runs           runs          // read before stat was; zero when not read
	process        Process
	usageOutdated  bool              // it may have run since its I/O and descriptors were read
	statusOutdated bool              // it may have run since its status was read
	cgroupAt       time.Duration     // when the cgroup was read, on CLOCK_BOOTTIME
	statusAt       time.Duration     // when status was read, on CLOCK_BOOTTIME
	lateAnswer     <-chan slowAnswer // brings the answer of a read that took too long; nil when there is none
	argsOutdated   bool              // it may have run, and so changed its title, since the command line was read
	argsDue        bool              // the command line is to be read again: it was empty, or too many reads were stuck
	thread         int               // a thread that lives although the first has ended; 0 while that lives
	failed         failedFiles
	given          given // what was given of it last; zero when its files were read
}

// given is what is kept of a process that was given.
type given struct {
	program, groups uint64
	runtime         time.Duration
	known           bool
}

func newEntry(pid int) *entry {
	return &entry{pid: pid, name: strconv.Itoa(pid), statFD: -1, runsFD: -1, statmFD: -1, ioFD: -1, statusFD: -1}
}

// entryTable is what is kept of processes, by pid.
type entryTable map[int]*entry

// of is what is kept of the process that has the pid.
func (es entryTable) of(pid int) *entry {
	e, ok := es[pid]
	if !ok {
		e = newEntry(pid)
		es[pid] = e
	}
	return e
}

// reset makes e the entry of a process that has not been read yet, at the same pid.
func (e *entry) reset() {
	*e = entry{pid: e.pid, name: e.name, inode: e.inode, scan: e.scan, statFD: e.statFD, runsFD: e.runsFD, statmFD: e.statmFD, ioFD: e.ioFD,
		statusFD: e.statusFD}
}

// store takes over what stat said.
func (e *entry) store(s stat, at time.Duration) {
	p := &e.process
	if p.Comm != string(s.comm) {
		p.Comm = string(s.comm)
	}
	p.PID, p.PPID = s.pid, s.ppid
	p.StartTicks = s.start
	p.State = s.state
	p.Kernel = s.kernel()
	p.Threads = s.threads
	if p.CPUKnown = !s.unknownCPU; p.CPUKnown {
		p.CPUTicks = s.utime + s.stime
	}
	p.StatCounters, p.FaultsKnown = s.StatCounters, !s.unknownFaults
	p.ReadAt, e.statAt = at, at
	p.ArgsKnown = p.ArgsKnown || p.Kernel
	s.comm = nil
	e.stat, e.known = s, true
}
