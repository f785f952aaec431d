package procfs

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fullEvery   = 10               // scans after which an idle process's memory, I/O and descriptors are read again
	sleepAge    = 30 * time.Second // age from which on what is known of a sleeping process is read again, in its turn
	argsEvery   = 12               // scans after which a busy process's command line is read again
	statusEvery = 5 * time.Second  // age from which on a busy process's status, which costs most, is read again
	cgroupEvery = 45 * time.Second // age at which the cgroup is read again, and up to cgroupSpread more
	// cgroupSpread is how far apart, in seconds, processes that were first seen together have their cgroups read.
	cgroupSpread = 30
)

// update brings e up to date, reading no more than needed. The error says that the process could not be read at all;
// partly says why something of it could not.
func (fs *updater) update(e *entry, keep bool, opt Options) (partly, err error) {
	at := fs.clock.now()
	slept := fs.hasSlept(e)
	full := fs.isTurn(e.process.PID, fullEvery)
	if slept && !(full && fs.isOld(e, at)) {
		e.process.ReadAt = at
		e.applyLateAnswer()
		return fs.readNeeds(e, fs.needsOf(e, asleep, false), opt), nil
	}

	s, err := fs.readStat(e, keep)
	if err != nil {
		return nil, err
	}
	if e.known && s.start != e.stat.start {
		fs.dropBusy(e)
		e.reset() // the pid is in use again
	}
	did := e.activity(s, slept)
	renewed := e.known && did == newProgram
	e.store(s, at)
	e.applyLateAnswer()
	if renewed {
		e.markCommandUnread()
	}
	if did == idle {
		e.usageOutdated = true
		fs.keepSchedstat(e)
	}
	if did < busy && full {
		fs.dropBusy(e)
	}
	return fs.readNeeds(e, fs.needsOf(e, did, full), opt), nil
}

// isOld reports whether it is time, at its turn, to read all of e again though it slept: it did something after all was
// read, or that is long ago.
func (fs *updater) isOld(e *entry, at time.Duration) bool {
	return e.usageOutdated || at-e.statAt >= fs.sleepAge
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
		status: did == newProgram || did == busy && e.process.ReadAt-e.statusAt >= statusEvery || e.usageOutdated && full,
		cgroup: did == newProgram || e.process.ReadAt-e.cgroupAt > cgroupAge,
	}
	if !s.ended() && e.lateAnswer == nil {
		due := did == newProgram || (e.argsDue && fs.isTurn(s.pid, fullEvery))
		need.args = due || (did == busy && fs.isTurn(s.pid, argsEvery))
		need.env = due
	}
	return need
}

// isTurn reports whether it is pid's turn for what happens once in so many scans. Pids take turns, so that the work is
// spread over the scans.
func (fs *updater) isTurn(pid, every int) bool {
	return (fs.scan+uint64(pid))%uint64(every) == 0
}

// readNeeds reads what e needs. All of it is read relative to one descriptor of the process's directory, and so belongs to
// one process. What cannot be read because the process ended or we may not read it is marked unknown; other reasons are
// returned.
func (fs *updater) readNeeds(e *entry, need needs, opt Options) error {
	if need == (needs{}) {
		return nil
	}
	dir, err := openAt(fs.rootFD, e.name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		e.markUnknown(need)
		return unexpected(err)
	}
	var errs []error
	if need.memory {
		errs = append(errs, fs.readMemory(dir, e, need.often))
	}
	if need.usage {
		e.usageOutdated = false
		errs = append(errs, fs.readIO(dir, e, need.often), fs.countFDs(dir, &e.process))
	}
	if need.status {
		errs = append(errs, fs.readStatus(dir, e, need.often), fs.readRunDelay(dir, &e.process))
	}
	if need.owner {
		errs = append(errs, fs.readOwner(dir, &e.process))
	}
	if need.cgroup {
		errs = append(errs, fs.readCgroup(dir, e))
	}
	if need.args {
		request := slowRequest{dir: dir}
		if need.env {
			request.envKeys = opt.EnvKeys
		}
		fs.readCommand(e, request)
	} else {
		unix.Close(dir)
	}
	return errors.Join(errs...)
}
