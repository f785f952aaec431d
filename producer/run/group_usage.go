package run

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// groupUsage is what control groups say that a command and its descendants used.
type groupUsage struct {
	cpu      schema.Opt[CPU]
	peakKiB  schema.Opt[uint64]
	io       schema.Opt[IO]
	pidsPeak schema.Opt[uint64]
}

// usage is what the group says. The kernel counts CPU time whether or not the cpu controller is on; the other files are there where the
// controllers are on, memory.peak since Linux 5.19 and pids.peak since 6.1.
func (l *leaf) usage() (u groupUsage) {
	return groupUsage{cpu: parseCPU(readFile(l.dir, "cpu.stat")), peakKiB: parseKiB(readFile(l.dir, "memory.peak")),
		io: parseIO(readFile(l.dir, "io.stat")), pidsPeak: parseNumber(readFile(l.dir, "pids.peak"))}
}

// readFile is what a file of a group holds; nil when it cannot be read.
func readFile(dir, name string) []byte {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	return data
}

func parseNumber(data []byte) schema.Opt[uint64] {
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return schema.Opt[uint64]{}
	}
	return schema.Some(n)
}

// parseKiB reads a file of bytes.
func parseKiB(data []byte) schema.Opt[uint64] {
	n := parseNumber(data)
	n.V /= 1024
	return n
}

// parseCPU reads a cpu.stat file.
func parseCPU(data []byte) schema.Opt[CPU] {
	var user, system schema.Opt[time.Duration]
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		usec, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "user_usec":
			user = schema.Some(time.Duration(usec) * time.Microsecond)
		case "system_usec":
			system = schema.Some(time.Duration(usec) * time.Microsecond)
		}
	}
	if !user.Known || !system.Known {
		return schema.Opt[CPU]{}
	}
	return schema.Some(CPU{User: user.V, System: system.V})
}

// parseLegacyCPU reads cpuacct.usage, and how much of it was in programs and in the kernel where that is known. All are nanoseconds.
func parseLegacyCPU(all, user, system []byte) schema.Opt[CPU] {
	total, u, s := parseNumber(all), parseNumber(user), parseNumber(system)
	switch {
	case !total.Known:
		return schema.Opt[CPU]{}
	case !u.Known || !s.Known || s.V > total.V:
		return schema.Some(CPU{Whole: time.Duration(total.V)})
	}
	return schema.Some(CPU{User: time.Duration(total.V - s.V), System: time.Duration(s.V)})
}

// parseIO reads an io.stat file: a line for each device, "8:0 rbytes=4096 wbytes=0 rios=1 …". An empty file is of a group that did none.
func parseIO(data []byte) schema.Opt[IO] {
	if data == nil {
		return schema.Opt[IO]{}
	}
	var read, written uint64
	for _, field := range strings.Fields(string(data)) {
		name, value, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case err != nil:
		case name == "rbytes":
			read += n
		case name == "wbytes":
			written += n
		}
	}
	return schema.Some(IO{read / 1024, written / 1024})
}

// parseLegacyIO reads a blkio.throttle.io_service_bytes file: lines of "8:0 Read 4096", and a total. A file without a device says nothing: whether
// the kernel counts depends on the device.
func parseLegacyIO(data []byte) schema.Opt[IO] {
	var read, written uint64
	known := false
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		n, err := strconv.ParseUint(fields[2], 10, 64)
		switch {
		case err != nil:
		case fields[1] == "Read":
			read, known = read+n, true
		case fields[1] == "Write":
			written, known = written+n, true
		}
	}
	if !known {
		return schema.Opt[IO]{}
	}
	return schema.Some(IO{read / 1024, written / 1024})
}
