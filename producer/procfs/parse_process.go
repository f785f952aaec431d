package procfs

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
)

// statm is what we use of /proc/PID/statm, man proc_pid_statm(5), in pages.
type statm struct{ size, resident uint64 }

// parseStatm parses /proc/PID/statm.
func parseStatm(data []byte) (statm, error) {
	first, rest := nextField(data)
	second, _ := nextField(rest)
	var s statm
	var ok bool
	if s.size, ok = parseUint(first); !ok {
		return statm{}, fieldError("1 (size)", first)
	}
	if s.resident, ok = parseUint(second); !ok {
		return statm{}, fieldError("2 (resident)", second)
	}
	return s, nil
}

// storageIO is what we use of /proc/PID/io, man proc_pid_io(5), in bytes.
type storageIO struct{ read, written, cancelled uint64 }

// parseIO parses /proc/PID/io.
func parseIO(data []byte) (storageIO, error) {
	var s storageIO
	var err error
	if s.read, err = labelled(data, "read_bytes:"); err != nil {
		return storageIO{}, err
	}
	if s.written, err = labelled(data, "write_bytes:"); err != nil {
		return storageIO{}, err
	}
	if s.cancelled, err = labelled(data, "cancelled_write_bytes:"); err != nil {
		return storageIO{}, err
	}
	err = errors.Join(within("read_bytes", s.read, maxBytes), within("write_bytes", s.written, maxBytes),
		within("cancelled_write_bytes", s.cancelled, maxBytes))
	if err != nil {
		return storageIO{}, err
	}
	return s, nil
}

// labelled returns the number that follows label at the start of a line.
func labelled(data []byte, label string) (uint64, error) {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if len(line) < len(label) || string(line[:len(label)]) != label {
			continue
		}
		value, _ := nextField(line[len(label):])
		n, ok := parseUint(value)
		if !ok {
			return 0, fieldError(strings.TrimSuffix(label, ":"), value)
		}
		return n, nil
	}
	return 0, fieldError(strings.TrimSuffix(label, ":"), nil)
}

// status is what we use of /proc/PID/status, man proc_pid_status(5).
type status struct{ swap, hugetlb, voluntary, involuntary uint64 }

// parseStatus parses /proc/PID/status.
func parseStatus(data []byte) (status, error) {
	var s status
	var err error
	if s.voluntary, err = labelled(data, "voluntary_ctxt_switches:"); err != nil {
		return status{}, err
	}
	if s.involuntary, err = labelled(data, "nonvoluntary_ctxt_switches:"); err != nil {
		return status{}, err
	}
	if s.swap, err = optionalLabel(data, "VmSwap:"); err != nil {
		return status{}, err
	}
	if s.hugetlb, err = optionalLabel(data, "HugetlbPages:"); err != nil {
		return status{}, err
	}
	err = errors.Join(within("voluntary_ctxt_switches", s.voluntary, maxCount), within("nonvoluntary_ctxt_switches", s.involuntary, maxCount),
		within("VmSwap", s.swap, maxKiB), within("HugetlbPages", s.hugetlb, maxKiB))
	if err != nil {
		return status{}, err
	}
	return s, nil
}

// optionalLabel is labelled for a line that the kernel leaves out where there is nothing to say; it is 0 then.
func optionalLabel(data []byte, label string) (uint64, error) {
	n, err := labelled(data, label)
	if errors.Is(err, errMissing) {
		return 0, nil
	}
	return n, err
}

// runs is what we use of /proc/PID/schedstat, Linux Documentation/scheduler/sched-stats.rst: how long the first thread of a
// process ran and how long it waited to, in nanoseconds, and how often it ran.
type runs struct{ time, delay, count uint64 }

// parseSchedstat parses /proc/PID/schedstat.
func parseSchedstat(data []byte) (runs, error) {
	first, rest := nextField(data)
	second, rest := nextField(rest)
	third, _ := nextField(rest)
	var r runs
	var ok bool
	if r.time, ok = parseUint(first); !ok {
		return runs{}, fieldError("1 (time on the cpu)", first)
	}
	if r.delay, ok = parseUint(second); !ok {
		return runs{}, fieldError("2 (time waiting)", second)
	}
	if r.count, ok = parseUint(third); !ok {
		return runs{}, fieldError("3 (timeslices)", third)
	}
	if err := within("2 (time waiting)", r.delay, math.MaxInt64); err != nil {
		return runs{}, err
	}
	return r, nil
}

// parseArgs splits a command line at its NULs. Empty arguments at the end are dropped: they cannot be told from the
// padding that a process leaves when it writes its own title.
func parseArgs(data []byte) []string {
	text := strings.TrimRight(string(data), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// parseEnv returns those of the variables in data, which NULs end, that keys names. An unfinished one at the end is left
// out, and of two of the same name the first counts, as for getenv(3).
func parseEnv(data []byte, keys []string) map[string]string {
	env := make(map[string]string)
	for {
		variable, rest, ok := bytes.Cut(data, []byte{0})
		if !ok {
			return env
		}
		data = rest
		name, value, ok := bytes.Cut(variable, []byte{'='})
		if !ok || !slices.Contains(keys, string(name)) {
			continue
		}
		if _, seen := env[string(name)]; !seen {
			env[string(name)] = string(value)
		}
	}
}
