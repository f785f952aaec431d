package procfs

import (
	"cmp"
	"slices"
)

// A process that has not run since the last scan has not changed its stat, except that its parent may have. To read
// schedstat, which tells, costs a sixth of reading stat, which adds up all threads. So for a process of one thread that
// was seen idle, schedstat is kept open and read first.

// hasSlept reports whether e has not run since its stat was last read, and has the parent that it had.
func (fs *updater) hasSlept(e *entry) bool {
	if e.runsFD < 0 {
		return false
	}
	data, err := readOnce(e.runsFD, fs.buffer)
	var now runs
	if err == nil {
		now, err = parseSchedstat(data)
	}
	if err != nil || e.stat.threads != 1 {
		fs.dropFD(&e.runsFD)
		return false
	}
	// A thread that keeps running is counted only when it stops, so of a running one the count says nothing.
	same := now == e.runs && e.stat.state != 'R'
	e.runs = now
	return same && fs.hasParent(e)
}

// keepSchedstat opens e's schedstat for slept to use from the next scan on.
func (fs *updater) keepSchedstat(e *entry) {
	if !fs.counts || e.runsFD >= 0 || e.stat.threads != 1 || fs.kept >= fs.keepMax {
		return
	}
	fd, err := openAt(fs.rootFD, e.name+"/schedstat", 0)
	if err != nil {
		return // it costs time, not truth
	}
	fs.keepFD(&e.runsFD, fd)
}

// hasParent reports whether the parent that e's stat named is there and alive.
func (fs *updater) hasParent(e *entry) bool {
	if e.stat.ppid == 0 {
		return true
	}
	_, listed := slices.BinarySearchFunc(fs.pids, e.stat.ppid, func(l listedPID, pid int) int {
		return cmp.Compare(l.pid, pid)
	})
	parent, known := fs.entries[e.stat.ppid]
	return listed && known && !parent.stat.ended()
}
