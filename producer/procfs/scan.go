package procfs

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Processes reads the process table. It appends to dst[:0], so that a caller may hand back the slice of the last scan,
// and returns what it appended to. A process that ends meanwhile, or that cannot be read, is left out and counted; the
// error is for the table as a whole.
func (fs *FS) Processes(dst []Process, opt Options) (Scan, error) {
	if err := fs.open(); err != nil {
		return Scan{}, err
	}
	listed, err := fs.listPIDs()
	if err != nil {
		return Scan{}, err
	}
	fs.begin()
	scan := Scan{Processes: dst[:0]}
	firstSeen := false // process 1 was read
	kept := 0
	for _, l := range listed {
		e := fs.entries.of(l.pid)
		if !fs.scanOne(e, l, opt, &scan) {
			fs.release(e)
			delete(fs.entries, l.pid)
			continue
		}
		kept++
		firstSeen = firstSeen || l.pid == 1
	}
	if kept < len(fs.entries) {
		fs.dropUnlisted()
	}
	fs.end(&scan, firstSeen)
	return scan, nil
}

// begin begins the next scan.
func (fs *FS) begin() {
	fs.scan++
	fs.clock = newClock()
	fs.failing, fs.ioDenied = [fileCount]int{}, 0
}

// end says of a scan what is known once all processes are in it. FirstSeen says that process 1 was read.
func (fs *FS) end(scan *Scan, firstSeen bool) {
	scan.Partial = scan.Hidden > 0 || scan.Lost > 0 || !firstSeen
	scan.Failures, scan.IODenied = fs.failures.list(), fs.ioDenied
	scan.Stuck = fs.slow.stuck()
}

// scanOne brings one listed process up to date and adds it to scan. It reports whether the process is still there and to
// be remembered.
func (fs *FS) scanOne(e *entry, l listedPID, opt Options, scan *Scan) bool {
	same := e.inode == l.inode
	e.inode, e.scan = l.inode, fs.scan
	hidden := e.process.Kernel && !opt.KernelThreads
	if hidden && same && !(fs.isTurn(l.pid, fullEvery) && fs.isOld(e, fs.clock.now())) {
		return true // a kernel thread nobody asked for: as long as its directory is the same, so is the thread
	}

	err := fs.update(e, true, opt)
	switch {
	case err == nil:
		fs.count(e.failed)
	case isGone(err):
		scan.Vanished++
		return false
	case isDenied(err):
		scan.Hidden++
		return false
	default:
		scan.Lost++
		fs.noteError(e, statFile, err)
		fs.count(e.failed)
		return false
	}
	if e.process.Kernel && !opt.KernelThreads {
		fs.release(e) // it is read too seldom for that
		return true
	}
	scan.Processes = append(scan.Processes, e.process)
	return true
}

// dropUnlisted forgets the processes that the current scan has not listed.
func (fs *FS) dropUnlisted() {
	for pid, e := range fs.entries {
		if e.scan != fs.scan {
			fs.release(e)
			delete(fs.entries, pid)
		}
	}
}

// Process reads all there is to know of one process now, whatever scans know of it, and leaves that as it is. The error
// is ErrGone, wrapped, when there is no such process.
func (fs *FS) Process(pid int, opt Options) (Process, error) {
	if err := fs.open(); err != nil {
		return Process{}, err
	}
	fs.clock = newClock()
	e := newEntry(pid)
	err := fs.update(e, false, opt)
	switch {
	case err == nil:
		return e.process, nil
	case isGone(err):
		return Process{}, readError(fs.path(e.name), ErrGone)
	default:
		return Process{}, readError(fs.path(e.name), err)
	}
}

// RealUser is the user on whose behalf a process runs: its real user, whatever the process may do. Start is when the
// process started, in clock ticks since boot. Ok is false when that cannot be told: the process is gone, or it runs a
// program whose file is set-user-ID or set-group-ID, of which another user chose the arguments and the environment.
// Sources: man proc_pid_status(5), Uid; man credentials(7).
func (fs *FS) RealUser(pid int) (uid int, start uint64, ok bool) {
	dir, err := openAt(unix.AT_FDCWD, fs.path(strconv.Itoa(pid)), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return 0, 0, false
	}
	defer unix.Close(dir)
	buf := make([]byte, statBufferSize)
	data, err := readSmall(dir, "stat", buf)
	if err != nil {
		return 0, 0, false
	}
	s, err := parseStat(data)
	if err != nil {
		return 0, 0, false
	}
	start = s.start
	if s.headless() { // the program is that of the threads that live
		e := newEntry(pid)
		if err := fs.open(); err != nil {
			return 0, 0, false
		}
		fs.completeStat(e, &s)
		if living := e.openLiving(dir); living != dir {
			defer unix.Close(living)
			dir = living
		}
	}
	uid, ok = realUser(dir, buf)
	return uid, start, ok
}
