package procfs

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fullEvery   = 10               // scans after which an idle process's memory, I/O and descriptors are read again, and a command line
	sleepAge    = 30 * time.Second // age from which on what is known of a sleeping process is read again, in its turn
	statusEvery = 5 * time.Second  // age from which on a busy process's status, which costs most, is read again
	cgroupEvery = 45 * time.Second // age at which the cgroup is read again, and up to cgroupSpread more
	// cgroupSpread is how far apart, in seconds, processes that were first seen together have their cgroups read.
	cgroupSpread = 30
)

// update brings e up to date, reading no more than needed. The error says that the process could not be read at all.
func (fs *updater) update(e *entry, keep bool, opt Options) error {
	at := fs.clock.now()
	slept := fs.hasSlept(e)
	full := fs.isTurn(e.process.PID, fullEvery)
	if slept && !(full && fs.isOld(e, at)) {
		e.process.ReadAt = at
		e.applyLateAnswer()
		fs.readNeeds(e, fs.needsOf(e, asleep, false), opt)
		return nil
	}

	s, err := fs.readStat(e, keep)
	if err != nil {
		return fs.keepLast(e, err)
	}
	if e.known && s.start != e.stat.start {
		fs.dropBusy(e)
		e.reset() // the pid is in use again
	}
	if e.known && s.unknownCPU {
		s.utime, s.stime = e.stat.utime, e.stat.stime
	}
	fs.completeStat(e, &s)
	fs.noteError(e, statFile, s.wrong)
	did := e.activity(s, slept)
	e.argsOutdated = e.argsOutdated || did > asleep
	renewed := e.known && did == newProgram
	e.store(s, at)
	e.applyLateAnswer()
	if renewed {
		e.markCommandUnread()
	}
	e.statusOutdated = e.statusOutdated || did > asleep
	if did == idle {
		e.usageOutdated = true
		fs.keepSchedstat(e)
	}
	if did < busy && full {
		fs.dropBusy(e)
	}
	fs.readNeeds(e, fs.needsOf(e, did, full), opt)
	return nil
}

// noteError takes down whether a file of e could be read and made sense.
func (fs *updater) noteError(e *entry, name file, err error) {
	fs.note(&e.failed, name, filepath.Join(fs.root, e.name), err)
}

// keepLast keeps a process whose stat cannot be read any more, with err, though it is there: it has not ended, and no more
// is known of it than when it was read last. Nothing is kept of one that has never been read, or that we may not read.
func (fs *updater) keepLast(e *entry, err error) error {
	if !e.known || isGone(err) || isDenied(err) {
		return err
	}
	fs.noteError(e, statFile, err)
	e.markUnknown(needs{memory: true, owner: true, usage: true, status: true})
	e.process.CPUKnown, e.process.FaultsKnown = false, false
	return nil
}

// isOld reports whether it is time, at its turn, to read all of e again though it slept: it did something after all was
// read, or that is long ago.
func (fs *updater) isOld(e *entry, at time.Duration) bool {
	return e.usageOutdated || e.statusOutdated || at-e.statAt >= fs.sleepAge
}

// needsOf decides what to read of e besides its stat; full says that it is time to read what changes without a trace.
// Only the kernel changes the memory of a process that sleeps, by taking some away.
func (fs *updater) needsOf(e *entry, did activity, full bool) needs {
	s := e.stat
	if s.kernel() {
		return needs{owner: !e.process.UIDKnown}
	}
	cgroupAge := cgroupEvery + time.Duration(s.pid%cgroupSpread)*time.Second
	need := needs{
		often:  did == busy,
		memory: did >= busy || full,
		owner:  did >= busy || (full && (did == idle || !e.process.UIDKnown)),
		usage:  did >= busy || (e.usageOutdated && full),
		status: did == newProgram || did == busy && e.process.ReadAt-e.statusAt >= statusEvery || did < busy && e.statusOutdated && full,
		cgroup: did == newProgram || e.process.ReadAt-e.cgroupAt > cgroupAge,
	}
	if !s.ended() && e.lateAnswer == nil {
		turn := fs.isTurn(s.pid, fullEvery)
		need.env = did == newProgram || e.argsDue && turn
		need.args = need.env || e.argsOutdated && turn
	}
	return need
}

// isTurn reports whether it is pid's turn for what happens once in so many scans. Pids take turns, so that the work is
// spread over the scans.
func (fs *updater) isTurn(pid, every int) bool {
	return (fs.scan+uint64(pid))%uint64(every) == 0
}

// readNeeds reads what e needs. All of it is read relative to one descriptor of the process's directory, and so belongs to
// one process. What cannot be read is marked unknown; a reason other than that the process ended, or that we may not read
// it, is noted.
func (fs *updater) readNeeds(e *entry, need needs, opt Options) {
	if need == (needs{}) {
		return
	}
	dir, err := openAt(fs.rootFD, e.name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		e.markUnknown(need)
		fs.noteError(e, ownerFile, unexpected(err))
		return
	}
	living := e.openLiving(dir)
	if living != dir {
		defer unix.Close(dir)
	}
	if need.memory {
		fs.noteError(e, statmFile, fs.readMemory(living, e, need.often))
	}
	if need.usage {
		e.usageOutdated = false
		fs.noteError(e, ioFile, fs.readIO(dir, e, need.often)) // a thread's own is no more than that
		fs.noteError(e, fdFile, fs.countFDs(living, &e.process))
		fs.noteError(e, limitsFile, fs.readFDLimit(living, &e.process))
	}
	if need.status {
		fs.noteError(e, statusFile, fs.readStatus(living, e, need.often))
		fs.noteError(e, schedstatFile, fs.readRunDelay(living, &e.process))
	}
	if need.owner {
		fs.noteError(e, ownerFile, fs.readOwner(living, &e.process))
	}
	if need.cgroup {
		fs.noteError(e, cgroupFile, fs.readCgroup(living, e))
	}
	fs.readCommandIfDue(living, e, need, opt)
}

// readCommandIfDue reads the command line, and the environment, if they are due, and closes dir.
func (fs *updater) readCommandIfDue(dir int, e *entry, need needs, opt Options) {
	if need.args {
		e.argsOutdated = false
		request := slowRequest{dir: dir}
		if need.env {
			request.envKeys = opt.EnvKeys
		}
		fs.readCommand(e, request)
	} else {
		unix.Close(dir)
	}
}
