package procfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// keeper keeps descriptors of processes' files open between scans.
type keeper struct {
	mount
	kept    int // descriptors now kept for entries
	keepMax int // descriptors that may be
}

// keepFD makes fd a kept descriptor in slot, and reports false when no more may be kept.
func (fs *keeper) keepFD(slot *int, fd int) bool {
	if fs.kept >= fs.keepMax {
		return false
	}
	*slot = fd
	fs.kept++
	return true
}

// dropFD closes the kept descriptor in slot, if any.
func (fs *keeper) dropFD(slot *int) {
	if *slot < 0 {
		return
	}
	unix.Close(*slot) // opened for reading: there is nothing left to fail
	*slot = -1
	fs.kept--
}

// release closes all that is kept open for e.
func (fs *keeper) release(e *entry) {
	fs.dropFD(&e.statFD)
	fs.dropFD(&e.runsFD)
	fs.dropBusy(e)
}

// dropBusy closes what is kept open for a busy process.
func (fs *keeper) dropBusy(e *entry) {
	fs.dropFD(&e.statmFD)
	fs.dropFD(&e.ioFD)
	fs.dropFD(&e.statusFD)
}

// readKept reads a file of a process through the descriptor in slot, or opens it under dir, and keeps that if keep.
func (fs *keeper) readKept(slot *int, dir int, name string, keep bool) ([]byte, error) {
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
	// Half of the descriptors are left to processes that sleep, where they save more.
	if err != nil || fs.kept >= fs.keepMax/2 || !fs.keepFD(slot, fd) {
		return data, errors.Join(err, unix.Close(fd))
	}
	return data, nil
}

// readStat reads and parses e's stat. It reads through the kept descriptor, which is bound to one
// process: once that is reaped it gives ESRCH for good, even when its pid is in use again. Then e is forgotten and
// whatever has the pid now is read. The comm of the result is valid until the next read.
func (fs *keeper) readStat(e *entry, keep bool) (stat, error) {
	if e.statFD >= 0 {
		data, err := readOnce(e.statFD, fs.buffer)
		if err == nil {
			return parseStatOf(e.pid, data)
		}
		fs.release(e)
		if !isGone(err) {
			return stat{}, err
		}
		e.reset()
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
	return parseStatOf(e.pid, data)
}

// parseStatOf parses the stat of the process that has the pid.
func parseStatOf(pid int, data []byte) (stat, error) {
	s, err := parseStat(data)
	switch {
	case err != nil:
		return stat{}, err
	case s.pid != pid, pid > maxPID:
		return stat{}, fmt.Errorf("field 1 (pid) is %d", s.pid)
	}
	return s, nil
}
