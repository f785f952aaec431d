package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseMeminfo parses /proc/meminfo, whose lines read like "MemTotal: 16318480 kB". What it returns holds with an error too:
// a line that makes no sense costs what it would tell.
func parseMeminfo(data []byte) (Memory, error) {
	var m Memory
	var errs [3]error
	m.TotalKiB, errs[0] = parseTotal(data)
	m.AvailableKiB, errs[1] = parseAvailable(data, m.TotalKiB)
	m.AvailableKnown = errs[1] == nil
	m.HugetlbKiB, m.HugetlbFreeKiB, errs[2] = parseHugetlb(data)
	m.HugetlbKnown = errs[2] == nil
	if errors.Is(errs[2], errMissing) { // a kernel without huge pages
		errs[2] = nil
	}
	return m, errors.Join(errs[:]...)
}

func parseTotal(data []byte) (uint64, error) {
	kib, err := labelled(data, "MemTotal:")
	switch {
	case err != nil:
		return 0, err
	case kib == 0:
		return 0, errors.New("field MemTotal is 0")
	}
	if err := within("MemTotal", kib, maxKiB); err != nil {
		return 0, err
	}
	return kib, nil
}

func parseAvailable(data []byte, total uint64) (uint64, error) {
	kib, err := labelled(data, "MemAvailable:")
	switch {
	case err != nil:
		return 0, err
	case total == 0:
		total = maxKiB
	}
	if kib > total {
		return 0, fmt.Errorf("field MemAvailable is %d, more than there is in all, %d", kib, total)
	}
	return kib, nil
}

// parseHugetlb returns what is reserved in huge pages, and what of it is free.
func parseHugetlb(data []byte) (kib, free uint64, err error) {
	var pages, size uint64
	for _, field := range []struct {
		label string
		to    *uint64
	}{{"Hugetlb:", &kib}, {"HugePages_Free:", &pages}, {"Hugepagesize:", &size}} {
		if *field.to, err = labelled(data, field.label); err != nil {
			return 0, 0, err
		}
		if err := within(strings.TrimSuffix(field.label, ":"), *field.to, maxKiB); err != nil {
			return 0, 0, err
		}
	}
	if size > 0 && pages > kib/size {
		return 0, 0, fmt.Errorf("field HugePages_Free is %d, more than are reserved", pages)
	}
	return kib, pages * size, nil
}

// parseLoadavg parses /proc/loadavg.
func parseLoadavg(data []byte) (load1, load5, load15 float64, err error) {
	var loads [3]float64
	for i, name := range []string{"1 (load1)", "2 (load5)", "3 (load15)"} {
		var field []byte
		field, data = nextField(data)
		var ok bool
		if loads[i], ok = parseDecimal(field); !ok || loads[i] > maxLoad {
			return 0, 0, 0, fieldError(name, field)
		}
	}
	return loads[0], loads[1], loads[2], nil
}

// parseUptime parses /proc/uptime, which holds seconds with two decimals.
func parseUptime(data []byte) (time.Duration, error) {
	field, _ := nextField(data)
	seconds, ok := parseDecimal(field)
	if !ok || seconds > math.MaxInt64/float64(time.Second)/2 {
		return 0, fieldError("1 (uptime)", field)
	}
	return time.Duration(math.Round(seconds*100)) * (time.Second / 100), nil
}

// parseDecimal reads a number such as 12.34, which is not negative.
func parseDecimal(b []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(b), 64)
	return f, err == nil && f >= 0 && !math.IsInf(f, 0)
}

// parseHostStat parses /proc/stat: the cpu line for all CPUs, and how many cpuN lines follow it, one for each online.
func parseHostStat(data []byte) (times CPUTimes, cpus int, err error) {
	first := true
	for line := range bytes.Lines(data) {
		label, rest := nextField(line)
		if !bytes.HasPrefix(label, []byte("cpu")) {
			break
		}
		if first {
			if string(label) != "cpu" {
				break
			}
			if times, err = parseCPUTimes(rest); err != nil {
				return CPUTimes{}, 0, err
			}
			first = false
			continue
		}
		if n, ok := parseInt(label[len("cpu"):]); !ok || n > maxPID {
			return CPUTimes{}, 0, fieldError("cpuN", label)
		}
		cpus++
	}
	if first {
		return CPUTimes{}, 0, fieldError("cpu", nil)
	}
	if cpus == 0 {
		return times, 0, fieldError("cpuN", nil)
	}
	return times, cpus, nil
}

// parseForks returns how many processes and threads stat says were started since boot; 0 when it does not say.
func parseForks(data []byte) uint64 {
	_, rest, found := bytes.Cut(data, []byte("\nprocesses "))
	if !found {
		return 0
	}
	number, _ := nextField(rest)
	n, err := strconv.ParseUint(string(number), 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// parseCPUTimes parses what follows the label of a cpu line.
func parseCPUTimes(data []byte) (CPUTimes, error) {
	var t CPUTimes
	for _, column := range []struct {
		name  string
		value *uint64
	}{
		{"user", &t.User}, {"nice", &t.Nice}, {"system", &t.System}, {"idle", &t.Idle},
		{"iowait", &t.IOWait}, {"irq", &t.IRQ}, {"softirq", &t.SoftIRQ}, {"steal", &t.Steal},
	} {
		var field []byte
		field, data = nextField(data)
		var ok bool
		if *column.value, ok = parseUint(field); !ok {
			return CPUTimes{}, fieldError(column.name, field)
		}
	}
	return t, nil
}

// parsePressure parses one file of /proc/pressure, whose lines read like
// "some avg10=0.12 avg60=0.05 avg300=0.00 total=1234".
func parsePressure(data []byte) (PressureStall, error) {
	var stall PressureStall
	for line := range bytes.Lines(data) {
		label, rest := nextField(line)
		var target *PressureLine
		switch string(label) {
		case "some":
			target = &stall.Some
		case "full":
			target = &stall.Full
		default:
			continue
		}
		var err error
		if *target, err = parsePressureLine(string(label), rest); err != nil {
			return PressureStall{}, err
		}
	}
	if !stall.Some.Known {
		return PressureStall{}, errors.New("field some is missing")
	}
	return stall, nil
}

// parsePressureLine parses what follows the label of a pressure line.
func parsePressureLine(label string, data []byte) (PressureLine, error) {
	var line PressureLine
	var hasAvg, hasTotal bool
	for {
		var field []byte
		if field, data = nextField(data); len(field) == 0 {
			break
		}
		key, value, _ := bytes.Cut(field, []byte{'='})
		switch string(key) {
		case "avg10":
			if line.Avg10, hasAvg = parseDecimal(value); !hasAvg || line.Avg10 > 100 {
				return PressureLine{}, fieldError(label+" avg10", value)
			}
		case "total":
			var us uint64
			us, hasTotal = parseUint(value)
			if !hasTotal || us > math.MaxInt64/uint64(time.Microsecond) {
				return PressureLine{}, fieldError(label+" total", value)
			}
			line.Total = time.Duration(us) * time.Microsecond
		}
	}
	if !hasAvg || !hasTotal {
		return PressureLine{}, fieldError(label+" avg10 or total", nil)
	}
	line.Known = true
	return line, nil
}
