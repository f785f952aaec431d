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
	cgroupEvery = 45 * time.Second // age at which the cgroup is read again, and up to cgroupSpread more
	// cgroupSpread is how far apart, in seconds, processes that were first seen together have their cgroups read.
	cgroupSpread = 30
)

// activity is what a process did since the last scan.
type activity int

const (
	asleep activity = iota // it did not run
	idle                   // it may have run, but did nothing that stat measures
	busy                   // it ran
	fresh                  // it runs a program that we have not seen it run
)

// visit brings e up to date, reading no more than needed. The error says that the process could not be read at all;
// partly says why something of it could not.
func (fs *FS) visit(e *entry, keep bool, opt Options) (partly, err error) {
	at := fs.clock.now()
	slept := fs.slept(e)
	full := fs.turn(e.process.PID, fullEvery)
	if slept && !(full && fs.aged(e, at)) {
		e.process.ReadAt = at
		e.adoptLate()
		return fs.fulfil(e, fs.needsOf(e, asleep, false), opt), nil
	}

	s, err := fs.readStat(e, keep)
	if err != nil {
		return nil, err
	}
	if e.known && s.start != e.stat.start {
		fs.dropBusy(e)
		e.forget() // the pid is in use again
	}
	did := e.activity(s, slept)
	renewed := e.known && did == fresh
	e.store(s, at)
	e.adoptLate()
	if renewed {
		e.forgetCommand()
	}
	if did == idle {
		e.stale = true
		fs.watchRuns(e)
	}
	if did < busy && full {
		fs.dropBusy(e)
	}
	return fs.fulfil(e, fs.needsOf(e, did, full), opt), nil
}

// activity says what the process did between e's stat and s, which was read next.
func (e *entry) activity(s stat, slept bool) activity {
	switch {
	case !e.known, s.executedSince(e.stat), !s.ended() && string(s.comm) != e.process.Comm:
		return fresh
	case !s.idleSince(e.stat):
		return busy
	case slept:
		return asleep
	default:
		return idle
	}
}

// aged reports whether it is time, at its turn, to read all of e again though it slept: it did something after all was
// read, or that is long ago.
func (fs *FS) aged(e *entry, at time.Duration) bool { return e.stale || at-e.statAt >= fs.sleepAge }

// needsOf decides what to read of e besides its stat; full says that it is time to read what changes without a trace.
// Only the kernel changes the memory of a process that sleeps, by taking some away.
func (fs *FS) needsOf(e *entry, did activity, full bool) needs {
	s := e.stat
	if s.kernel() {
		return needs{owner: !e.process.UIDKnown}
	}
	cgroupAge := cgroupEvery + time.Duration(s.pid%cgroupSpread)*time.Second
	need := needs{
		often:  did == busy,
		memory: did >= busy || full,
		owner:  did >= busy || (full && (did == idle || !e.process.UIDKnown)),
		usage:  did >= busy || (e.stale && full),
		cgroup: did == fresh || e.process.ReadAt-e.cgroupAt > cgroupAge,
	}
	if !s.ended() && e.late == nil {
		due := did == fresh || (e.argsDue && fs.turn(s.pid, fullEvery))
		need.args = due || (did == busy && fs.turn(s.pid, argsEvery))
		need.env = due
	}
	return need
}

// turn reports whether it is pid's turn for what happens once in so many scans. Pids take turns, so that the work is
// spread over the scans.
func (fs *FS) turn(pid, every int) bool {
	return (fs.scan+uint64(pid))%uint64(every) == 0
}

// needs says what is to be read of a process besides its stat.
type needs struct {
	often  bool // soon again: files stay open
	memory bool
	owner  bool
	usage  bool // I/O and descriptors
	args   bool // the command line
	env    bool // with the command line, the environment, if any of it is asked for
	cgroup bool
}

// fulfil reads what e needs. All of it is read relative to one descriptor of the process's directory, and so belongs to
// one process. What cannot be read because the process ended or we may not look is marked unknown; other reasons are
// returned.
func (fs *FS) fulfil(e *entry, need needs, opt Options) error {
	if need == (needs{}) {
		return nil
	}
	dir, err := openAt(fs.rootFD, e.name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		e.forgetValues(need)
		return unexpected(err)
	}
	var errs []error
	if need.memory {
		errs = append(errs, fs.readMemory(dir, e, need.often))
	}
	if need.usage {
		e.stale = false
		errs = append(errs, fs.readIO(dir, e, need.often), fs.countFDs(dir, &e.process))
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

// unexpected returns err unless it says that the process ended or that we may not look, which leave a value unknown.
func unexpected(err error) error {
	if isGone(err) || isDenied(err) {
		return nil
	}
	return err
}
