package procfs

import (
	"golang.org/x/sys/unix"
)

// valueReader reads the values of a process that are not in its stat.
type valueReader struct {
	keeper
	slow     *slowReader
	ioDenied int // processes whose I/O the current scan was not permitted to read
}

// readMemory reads how much memory the process has.
func (fs *valueReader) readMemory(dir int, e *entry, keep bool) error {
	p := &e.process
	p.MemoryValues, p.MemoryKnown = MemoryValues{}, false
	data, err := fs.readKept(&e.statmFD, dir, "statm", keep)
	if err != nil {
		return unexpected(err)
	}
	m, err := parseStatm(data, fs.pageKiB)
	if err != nil {
		return err
	}
	p.MemoryValues, p.MemoryKnown = m, true
	return nil
}

func (fs *valueReader) readIO(dir int, e *entry, keep bool) error {
	p := &e.process
	p.IOValues, p.IOKnown = IOValues{}, false
	data, err := fs.readKept(&e.ioFD, dir, "io", keep)
	if err != nil {
		if isDenied(err) {
			fs.ioDenied++
		}
		return unexpected(err)
	}
	io, err := parseIO(data)
	if err != nil {
		return err
	}
	p.IOValues, p.IOKnown = io, true
	return nil
}

func (fs *valueReader) readStatus(dir int, e *entry, keep bool) error {
	p := &e.process
	e.statusAt, e.statusOutdated = p.ReadAt, false
	p.StatusValues, p.StatusKnown = StatusValues{}, false
	data, err := fs.readKept(&e.statusFD, dir, "status", keep)
	if err != nil {
		return unexpected(err)
	}
	s, err := parseStatus(data)
	if err != nil {
		return err
	}
	p.StatusValues, p.StatusKnown = s, true
	return nil
}

// readRunDelay reads how long the first thread has waited for a processor.
func (fs *valueReader) readRunDelay(dir int, p *Process) error {
	p.RunDelay, p.RunDelayKnown = 0, false
	data, err := readSmall(dir, "schedstat", fs.buffer)
	if err != nil {
		return unexpected(err)
	}
	r, err := parseSchedstat(data)
	if err != nil {
		return err
	}
	p.RunDelay, p.RunDelayKnown = r.delay, true
	return nil
}

func (fs *valueReader) countFDs(dir int, p *Process) error {
	p.OpenFDs, p.FDsKnown = 0, false
	if fs.fdSizes {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, "fd", &st, 0); err != nil {
			return unexpected(err)
		}
		if err := within("size of fd", uint64(st.Size), maxFDs); err != nil {
			return err
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

// readFDLimit reads how many descriptors the process may have open, if it has many.
func (fs *valueReader) readFDLimit(dir int, p *Process) error {
	p.FDLimit, p.FDLimitKnown = 0, false
	if !p.FDsKnown || p.OpenFDs < manyFDs {
		return nil
	}
	data, err := readSmall(dir, "limits", fs.buffer)
	if err != nil {
		return unexpected(err)
	}
	limit, err := parseFDLimit(data)
	if err != nil {
		return err
	}
	p.FDLimit, p.FDLimitKnown = limit, true
	return nil
}

func (fs *valueReader) readOwner(dir int, p *Process) error {
	p.UID, p.UIDKnown = 0, false
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return unexpected(err)
	}
	p.UID, p.UIDKnown = int(st.Uid), true
	return nil
}

// readCgroup keeps the cgroup that is known when it cannot be read again, as of a process that has just ended.
func (fs *valueReader) readCgroup(dir int, e *entry) error {
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
		return err
	}
	if e.process.Cgroup != path {
		e.process.Cgroup = path
	}
	return nil
}
