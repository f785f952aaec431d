package procfs

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// An entry is what is kept of one process between scans.
type entry struct {
	name  string // of the process's directory: its pid
	inode uint64 // of that directory when it was last listed
	fd    int    // kept descriptor of stat, or -1
	scan  uint64 // the scan that last listed it

	known    bool // it has been read: the fields below hold
	stat     stat // without comm, which process holds
	process  Process
	cgroupAt time.Duration     // when the cgroup was read, on CLOCK_BOOTTIME
	late     <-chan slowAnswer // brings the answer of a read that took too long; nil when there is none
	argsDue  bool              // the command line is still to be read, because too many reads were stuck
}

func newEntry(pid int) *entry {
	return &entry{name: strconv.Itoa(pid), fd: -1}
}

// forget makes e the entry of a process that has not been read yet, at the same pid.
func (e *entry) forget() {
	*e = entry{name: e.name, inode: e.inode, fd: e.fd, scan: e.scan}
}

// dropStat closes the kept descriptor of e's stat, if any.
func (fs *FS) dropStat(e *entry) {
	if e.fd < 0 {
		return
	}
	unix.Close(e.fd) // opened for reading: there is nothing left to fail
	e.fd = -1
	fs.kept--
}

// readStat reads and parses e's stat, and says when. It reads through the kept descriptor, which is bound to one
// process: once that is reaped it gives ESRCH for good, even when its pid is in use again. Then e is forgotten and
// whatever has the pid now is read. The comm of the result is valid until the next read.
func (fs *FS) readStat(e *entry, keep bool) (stat, time.Duration, error) {
	at := bootTime()
	if e.fd >= 0 {
		data, err := readOnce(e.fd, fs.buffer)
		if err == nil {
			s, err := parseStat(data)
			return s, at, err
		}
		fs.dropStat(e)
		if !isGone(err) {
			return stat{}, 0, err
		}
		e.forget()
	}

	fd, err := openAt(fs.rootFD, e.name+"/stat", 0)
	if err != nil {
		return stat{}, 0, err
	}
	data, err := readOnce(fd, fs.buffer)
	if err != nil || !keep || fs.kept >= fs.keepMax {
		unix.Close(fd)
	} else {
		e.fd = fd
		fs.kept++
	}
	if err != nil {
		return stat{}, 0, err
	}
	s, err := parseStat(data)
	return s, at, err
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
	p.ReadAt = at
	if p.Kernel || (!e.known && !s.ended()) {
		p.ArgsKnown = p.Kernel
	}
	s.comm = nil
	e.stat, e.known = s, true
}
