package procfs

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
)

// parseStatm parses /proc/PID/statm, which counts pages.
func parseStatm(data []byte, pageKiB uint64) (MemoryValues, error) {
	var m MemoryValues
	for i, kib := range []*uint64{&m.VMSKiB, &m.RSSKiB} { // in the order of the fields
		var field []byte
		field, data = nextField(data)
		pages, ok := parseUpTo(field, maxKiB/pageKiB)
		if !ok {
			return MemoryValues{}, fieldError([]string{"1 (size)", "2 (resident)"}[i], field)
		}
		*kib = pages * pageKiB
	}
	return m, nil
}

// labelledNumber is a line of a file whose lines begin with a label.
type labelledNumber struct {
	label    string
	to       *uint64
	most     uint64
	optional bool // the kernel leaves it out where there is nothing to say: it is 0 then
}

// parseLabelled reads numbers of a file whose lines begin with labels.
func parseLabelled(data []byte, numbers ...labelledNumber) error {
	for _, n := range numbers {
		v, err := labelled(data, n.label)
		if n.optional && errors.Is(err, errMissing) {
			v, err = 0, nil
		}
		if err == nil {
			err = within(strings.TrimSuffix(n.label, ":"), v, n.most)
		}
		if err != nil {
			return err
		}
		*n.to = v
	}
	return nil
}

// parseIO parses /proc/PID/io.
func parseIO(data []byte) (v IOValues, err error) {
	err = parseLabelled(data,
		labelledNumber{label: "read_bytes:", to: &v.ReadBytes, most: maxBytes},
		labelledNumber{label: "write_bytes:", to: &v.WriteBytes, most: maxBytes},
		labelledNumber{label: "cancelled_write_bytes:", to: &v.CancelledBytes, most: maxBytes})
	if err != nil {
		return IOValues{}, err
	}
	return v, nil
}

// parseStatus parses /proc/PID/status.
func parseStatus(data []byte) (v StatusValues, err error) {
	err = parseLabelled(data,
		labelledNumber{label: "voluntary_ctxt_switches:", to: &v.VoluntarySwitches, most: maxCount},
		labelledNumber{label: "nonvoluntary_ctxt_switches:", to: &v.InvoluntarySwitches, most: maxCount},
		labelledNumber{label: "VmSwap:", to: &v.SwapKiB, most: maxKiB, optional: true},
		labelledNumber{label: "HugetlbPages:", to: &v.HugetlbKiB, most: maxKiB, optional: true})
	if err != nil {
		return StatusValues{}, err
	}
	return v, nil
}

// labelled returns the number that follows label at the start of a line.
func labelled(data []byte, label string) (uint64, error) {
	value := wordAfter(data, label)
	n, ok := parseUint(value)
	if !ok {
		return 0, fieldError(strings.TrimSuffix(label, ":"), value)
	}
	return n, nil
}

// wordAfter is the word that follows label at the start of a line; empty for none.
func wordAfter(data []byte, label string) []byte {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if len(line) < len(label) || string(line[:len(label)]) != label {
			continue
		}
		word, _ := nextField(line[len(label):])
		return word
	}
	return nil
}

// parseFDLimit parses of /proc/PID/limits how many descriptors a process may have open: the soft limit.
func parseFDLimit(data []byte) (int, error) {
	const label = "Max open files"
	if string(wordAfter(data, label)) == "unlimited" {
		return maxFDs, nil
	}
	n, err := labelled(data, label)
	if err != nil {
		return 0, err
	}
	return int(n), within(label, n, maxFDs)
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
