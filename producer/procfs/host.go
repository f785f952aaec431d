package procfs

import (
	"cmp"
	"errors"

	"golang.org/x/sys/unix"
)

// Host reads the state of the machine. A file that cannot be read costs what it would tell, and nothing else.
func (fs *FS) Host() (Host, error) {
	if err := fs.open(); err != nil {
		return Host{}, err
	}
	var h Host
	fs.readHost(&h, "meminfo", func(data []byte) (err error) {
		h.Memory, err = parseMeminfo(data)
		return err
	})
	fs.readHost(&h, "loadavg", func(data []byte) (err error) {
		h.Load1, h.Load5, h.Load15, err = parseLoadavg(data)
		h.LoadKnown = err == nil
		return err
	})
	fs.readHost(&h, "uptime", func(data []byte) (err error) {
		h.Uptime, err = parseUptime(data)
		return err
	})
	fs.readHost(&h, "stat", func(data []byte) (err error) {
		h.CPU, h.CPUs, err = parseHostStat(data)
		h.Forks = parseForks(data)
		return err
	})
	fs.readPressure(&h)
	return h, nil
}

// readPressure reads the pressure files. A kernel that has none, or that was told not to measure, is no failure.
func (fs *FS) readPressure(h *Host) {
	for _, file := range []struct {
		name  string
		stall *PressureStall
	}{
		{"pressure/cpu", &h.Pressure.CPU},
		{"pressure/memory", &h.Pressure.Memory},
		{"pressure/io", &h.Pressure.IO},
	} {
		err := fs.readKeptHost(file.name, func(data []byte) (err error) {
			*file.stall, err = parsePressure(data)
			return err
		})
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP):
			h.NoPressure = cmp.Or(h.NoPressure, err)
		case err != nil:
			h.fail(file.name, err)
		}
	}
}

// readHost reads the file name under root and hands its data to parse.
func (fs *FS) readHost(h *Host, name string, parse func(data []byte) error) {
	if err := fs.readKeptHost(name, parse); err != nil {
		h.fail(name, err)
	}
}

func (h *Host) fail(name string, err error) {
	h.Failures = append(h.Failures, Failure{File: name, Err: err})
}

// readKeptHost reads the file name under root through a kept descriptor, which is opened anew after a failure.
func (fs *FS) readKeptHost(name string, parse func(data []byte) error) error {
	fd, ok := fs.host[name]
	if !ok {
		var err error
		if fd, err = openAt(fs.rootFD, name, 0); err != nil {
			return readError(fs.path(name), err)
		}
		fs.host[name] = fd
	}
	var data []byte
	var err error
	data, fs.buffer, err = readAll(fd, fs.buffer)
	if err != nil {
		unix.Close(fd)
		delete(fs.host, name)
	} else {
		err = parse(data)
	}
	if err != nil {
		return readError(fs.path(name), err)
	}
	return nil
}
