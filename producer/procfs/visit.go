package procfs

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fullEvery   = 10               // scans after which an idle process's memory, I/O and descriptors are read again
	argsEvery   = 12               // scans after which a busy process's command line is read again
	cgroupEvery = 45 * time.Second // age at which the cgroup is read again, and up to cgroupSpread more
	// cgroupSpread is how far apart, in seconds, processes that were first seen together have their cgroups read.
	cgroupSpread = 30
)

// visit brings e up to date, reading no more than needed. The error says that the process could not be read at all;
// partly says why something of it could not.
func (fs *FS) visit(e *entry, keep bool, opt Options) (partly, err error) {
	s, at, err := fs.readStat(e, keep)
	if err != nil {
		return nil, err
	}
	if e.known && s.start != e.stat.start {
		e.forget() // the pid is in use again
	}
	first := !e.known
	executed := !first && (s.executedSince(e.stat) || (!s.ended() && string(s.comm) != e.process.Comm))
	idle := !first && s.idleSince(e.stat)
	e.store(s, at)
	e.adoptLate()

	need := needs{
		usage:  first || executed || !idle || fs.turn(s.pid, fullEvery),
		args:   first || executed || (!idle && fs.turn(s.pid, argsEvery)) || (e.argsDue && fs.turn(s.pid, fullEvery)),
		env:    first || executed || e.argsDue,
		cgroup: first || executed || at-e.cgroupAt > cgroupEvery+time.Duration(s.pid%cgroupSpread)*time.Second,
	}
	switch {
	case s.kernel():
		need = needs{owner: first}
	case s.ended():
		need.args, need.env = false, false
	}
	return fs.fulfil(e, need, opt), nil
}

// turn reports whether it is pid's turn for what happens once in so many scans. Pids take turns, so that the work is
// spread over the scans.
func (fs *FS) turn(pid, every int) bool {
	return (fs.scan+uint64(pid))%uint64(every) == 0
}

// needs says what is to be read of a process besides its stat.
type needs struct {
	usage  bool // memory, I/O, descriptors and owner
	owner  bool // the owner alone
	args   bool // the command line
	env    bool // the environment too, if any of it is asked for
	cgroup bool
}

// fulfil reads what e needs. All of it is read relative to one descriptor of the process's directory, and so belongs to
// one process. What cannot be read because the process ended or we may not look is marked unknown; other reasons are
// returned.
func (fs *FS) fulfil(e *entry, need needs, opt Options) error {
	if need == (needs{}) || need == (needs{env: true}) {
		return nil
	}
	dir, err := openAt(fs.rootFD, e.name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		if need.usage {
			e.forgetUsage()
		}
		return unexpected(err)
	}
	var errs []error
	if need.usage {
		errs = append(errs, fs.readMemory(dir, &e.process), fs.readIO(dir, &e.process), fs.countFDs(dir, &e.process))
	}
	if need.usage || need.owner {
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

// forgetUsage marks unknown what reading e's usage would have found.
func (e *entry) forgetUsage() {
	p := &e.process
	p.RSSKiB, p.VMSKiB, p.MemoryKnown = 0, 0, false
	p.ReadBytes, p.WriteBytes, p.IOKnown = 0, 0, false
	p.OpenFDs, p.FDsKnown = 0, false
	p.UID, p.UIDKnown = 0, false
}

func (fs *FS) readMemory(dir int, p *Process) error {
	p.RSSKiB, p.VMSKiB, p.MemoryKnown = 0, 0, false
	data, err := readSmall(dir, "statm", fs.buffer)
	if err != nil {
		return unexpected(err)
	}
	m, err := parseStatm(data)
	if err != nil {
		return readError("statm", err)
	}
	p.RSSKiB, p.VMSKiB, p.MemoryKnown = m.resident*fs.pageKiB, m.size*fs.pageKiB, true
	return nil
}

func (fs *FS) readIO(dir int, p *Process) error {
	p.ReadBytes, p.WriteBytes, p.IOKnown = 0, 0, false
	data, err := readSmall(dir, "io", fs.buffer)
	if err != nil {
		return unexpected(err)
	}
	io, err := parseIO(data)
	if err != nil {
		return readError("io", err)
	}
	p.ReadBytes, p.WriteBytes, p.IOKnown = io.read, io.written, true
	return nil
}

func (fs *FS) countFDs(dir int, p *Process) error {
	p.OpenFDs, p.FDsKnown = 0, false
	if fs.fdSizes {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, "fd", &st, 0); err != nil {
			return unexpected(err)
		}
		p.OpenFDs, p.FDsKnown = int(st.Size), true
		return nil
	}
	count, err := countDir(dir, "fd", fs.buffer)
	if err != nil {
		return unexpected(err)
	}
	p.OpenFDs, p.FDsKnown = count, true
	return nil
}

func (fs *FS) readOwner(dir int, p *Process) error {
	p.UID, p.UIDKnown = 0, false
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return unexpected(err)
	}
	p.UID, p.UIDKnown = int(st.Uid), true
	return nil
}

// readCgroup keeps the cgroup that is known when it cannot be read again, as of a process that has just ended.
func (fs *FS) readCgroup(dir int, e *entry) error {
	e.cgroupAt = e.process.ReadAt
	fd, err := openAt(dir, "cgroup", 0)
	if err != nil {
		return unexpected(err)
	}
	defer unix.Close(fd)
	var data []byte
	data, fs.buffer, err = readAll(fd, fs.buffer)
	if err != nil {
		return unexpected(err)
	}
	path, err := parseCgroup(data)
	if err != nil {
		return readError("cgroup", err)
	}
	if e.process.Cgroup != path {
		e.process.Cgroup = path
	}
	return nil
}

// unexpected returns err unless it says that the process ended or that we may not look, which leave a value unknown.
func unexpected(err error) error {
	if isGone(err) || isDenied(err) {
		return nil
	}
	return err
}
