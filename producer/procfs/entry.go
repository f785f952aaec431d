package procfs

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// An entry is what is kept of one process between scans.
type entry struct {
	name  string // of the process's directory: its pid
	inode uint64 // of that directory when it was last listed
	scan  uint64 // the scan that last listed it

	statFD  int // kept descriptor of stat, or -1
	runsFD  int // kept descriptor of schedstat, or -1
	statmFD int // kept descriptor of statm while the process is busy, or -1
	ioFD    int // kept descriptor of io while the process is busy, or -1

	known    bool          // it has been read: the fields below hold
	stat     stat          // without comm, which process holds
	statAt   time.Duration // when stat was read, on CLOCK_BOOTTIME
	runs     runs          // read before stat was; zero when not read
	process  Process
	stale    bool              // it may have run since its I/O and descriptors were read
	cgroupAt time.Duration     // when the cgroup was read, on CLOCK_BOOTTIME
	late     <-chan slowAnswer // brings the answer of a read that took too long; nil when there is none
	argsDue  bool              // the command line is to be read again: it was empty, or too many reads were stuck
}

func newEntry(pid int) *entry {
	return &entry{name: strconv.Itoa(pid), statFD: -1, runsFD: -1, statmFD: -1, ioFD: -1}
}

// forget makes e the entry of a process that has not been read yet, at the same pid.
func (e *entry) forget() {
	*e = entry{name: e.name, inode: e.inode, scan: e.scan, statFD: e.statFD, runsFD: e.runsFD, statmFD: e.statmFD, ioFD: e.ioFD}
}

// keepFD makes fd a kept descriptor in slot, and reports false when no more may be kept.
func (fs *FS) keepFD(slot *int, fd int) bool {
	if fs.kept >= fs.keepMax {
		return false
	}
	*slot = fd
	fs.kept++
	return true
}

// dropFD closes the kept descriptor in slot, if any.
func (fs *FS) dropFD(slot *int) {
	if *slot < 0 {
		return
	}
	unix.Close(*slot) // opened for reading: there is nothing left to fail
	*slot = -1
	fs.kept--
}

// release closes all that is kept open for e.
func (fs *FS) release(e *entry) {
	fs.dropFD(&e.statFD)
	fs.dropFD(&e.runsFD)
	fs.dropBusy(e)
}

// dropBusy closes what is kept open for a busy process.
func (fs *FS) dropBusy(e *entry) {
	fs.dropFD(&e.statmFD)
	fs.dropFD(&e.ioFD)
}

// readKept reads a file of a process through the descriptor in slot, or opens it under dir, and keeps that if keep.
func (fs *FS) readKept(slot *int, dir int, name string, keep bool) ([]byte, error) {
	if *slot >= 0 {
		return readOnce(*slot, fs.buffer)
	}
	if !keep {
		return readSmall(dir, name, fs.buffer)
	}
	fd, err := openAt(dir, name, 0)
	if err != nil {
		return nil, err
	}
	data, err := readOnce(fd, fs.buffer)
	// Half of the descriptors are left to those who sleep, for whom they save more.
	if err != nil || fs.kept >= fs.keepMax/2 || !fs.keepFD(slot, fd) {
		return data, errors.Join(err, unix.Close(fd))
	}
	return data, nil
}

// readStat reads and parses e's stat. It reads through the kept descriptor, which is bound to one
// process: once that is reaped it gives ESRCH for good, even when its pid is in use again. Then e is forgotten and
// whatever has the pid now is read. The comm of the result is valid until the next read.
func (fs *FS) readStat(e *entry, keep bool) (stat, error) {
	if e.statFD >= 0 {
		data, err := readOnce(e.statFD, fs.buffer)
		if err == nil {
			return parseStat(data)
		}
		fs.release(e)
		if !isGone(err) {
			return stat{}, err
		}
		e.forget()
	}

	fd, err := openAt(fs.rootFD, e.name+"/stat", 0)
	if err != nil {
		return stat{}, err
	}
	data, err := readOnce(fd, fs.buffer)
	if err != nil || !keep || !fs.keepFD(&e.statFD, fd) {
		unix.Close(fd)
	}
	if err != nil {
		return stat{}, err
	}
	return parseStat(data)
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
	p.CPUTicks = s.utime + s.stime
	p.MinorFaults, p.MajorFaults = s.minflt, s.majflt
	p.ReadAt, e.statAt = at, at
	p.ArgsKnown = p.ArgsKnown || p.Kernel
	s.comm = nil
	e.stat, e.known = s, true
}
