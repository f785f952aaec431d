package procfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Host reads the state of the machine.
func (fs *FS) Host() (Host, error) {
	var h Host
	err := errors.Join(
		fs.readHost("meminfo", func(data []byte) (err error) {
			h.Memory, err = parseMeminfo(data)
			return err
		}),
		fs.readHost("loadavg", func(data []byte) (err error) {
			h.Load1, h.Load5, h.Load15, err = parseLoadavg(data)
			return err
		}),
		fs.readHost("uptime", func(data []byte) (err error) {
			h.Uptime, err = parseUptime(data)
			return err
		}),
		fs.readHost("stat", func(data []byte) (err error) {
			h.CPU, h.CPUs, err = parseHostStat(data)
			return err
		}),
	)
	if err != nil {
		return Host{}, err
	}
	h.Pressure, err = fs.pressure()
	if err != nil {
		return Host{}, err
	}
	return h, nil
}

// pressure reads the pressure files, or returns nil when the kernel has none or was told not to measure.
func (fs *FS) pressure() (*Pressure, error) {
	var p Pressure
	for _, file := range []struct {
		name  string
		stall *PressureStall
	}{
		{"pressure/cpu", &p.CPU},
		{"pressure/memory", &p.Memory},
		{"pressure/io", &p.IO},
	} {
		err := fs.readHost(file.name, func(data []byte) (err error) {
			*file.stall, err = parsePressure(data)
			return err
		})
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return &p, nil
}

// readHost reads the file name under root through a kept descriptor and hands its data to parse.
func (fs *FS) readHost(name string, parse func(data []byte) error) error {
	if err := fs.open(); err != nil {
		return err
	}
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
	if err == nil {
		err = parse(data)
	}
	if err != nil {
		return readError(fs.path(name), err)
	}
	return nil
}
