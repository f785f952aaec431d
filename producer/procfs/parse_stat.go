package procfs

import (
	"bytes"
	"strconv"
)

const kernelThreadFlag = 0x00200000 // PF_KTHREAD, Linux include/linux/sched.h

// stat is what we use of one line of /proc/PID/stat, man proc_pid_stat(5).
type stat struct {
	pid, ppid int
	comm      []byte // part of the data that was parsed
	state     byte
	flags     uint64
	StatCounters
	utime, stime uint64 // clock ticks
	threads      int
	start        uint64 // clock ticks since boot
	startCode    uint64 // address of the program; with startStack it tells one execve from the next
	startStack   uint64

	unknownCPU    bool  // utime or stime makes no sense; both are 0
	unknownFaults bool  // the same of the faults
	wrong         error // which field makes no sense, if any does; what it would tell has its zero value
}

// parseStat parses /proc/PID/stat. The name of the process stands in parentheses and may itself hold blanks, newlines
// and parentheses, so it ends at the last closing one. It fails where that leaves open which process it is; any other field
// that makes no sense costs that field alone.
func parseStat(data []byte) (stat, error) {
	var s stat
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return stat{}, fieldError("2 (comm)", nil)
	}
	first, _ := nextField(data[:open])
	pid, ok := parseInt(first)
	if !ok {
		return stat{}, fieldError("1 (pid)", first)
	}
	s.pid, s.comm = pid, data[open+1:end]
	if bytes.IndexByte(s.comm, 0) >= 0 { // the kernel ends a name at it, and no text with one can be stored
		s.wrong = fieldError("2 (comm)", s.comm)
		s.comm = bytes.ReplaceAll(s.comm, []byte{0}, nil)
	}

	rest := data[end+1:]
	for n := 3; n <= lastStatField; n++ {
		var field []byte
		field, rest = nextField(rest)
		if len(field) > 0 && s.setField(n, field) {
			continue
		}
		err := fieldError(statFieldName(n), field)
		if n == startField {
			return stat{}, err
		}
		if s.wrong == nil {
			s.wrong = err
		}
		s.dropField(n)
	}
	return s, nil
}

// dropField forgets what field number n, which makes no sense, would have said.
func (s *stat) dropField(n int) {
	switch n {
	case 3:
		s.state = 'S'
	case 4:
		s.ppid = 0
	case 9:
		s.flags = 0
	case 10, 12:
		s.StatCounters, s.unknownFaults = StatCounters{}, true
	case 14, 15:
		s.utime, s.stime, s.unknownCPU = 0, 0, true
	case 20:
		s.threads = 1
	case 26, 28:
		s.startCode, s.startStack = 0, 0
	}
}

const (
	startField    = 22 // with the pid it says which process it is
	lastStatField = 28 // the last that setField takes over
)

// setField takes over field number n, counted from 1 as the manual does, and reports whether it is well formed.
func (s *stat) setField(n int, field []byte) (ok bool) {
	switch n {
	case 3:
		s.state, ok = field[0], len(field) == 1 && isLetter(field[0])
	case 4:
		s.ppid, ok = parsePIDField(field)
	case 9:
		s.flags, ok = parseUint(field)
	case 10:
		s.MinorFaults, ok = parseUpTo(field, maxCount)
	case 12:
		s.MajorFaults, ok = parseUpTo(field, maxCount)
	case 14:
		s.utime, ok = parseUpTo(field, maxCPUTicks)
	case 15:
		s.stime, ok = parseUpTo(field, maxCPUTicks)
	case 20:
		s.threads, ok = parsePIDField(field)
	case 22:
		s.start, ok = parseUpTo(field, maxTicks)
	case 26:
		s.startCode, ok = parseUint(field)
	case 28:
		s.startStack, ok = parseUint(field)
	default:
		ok = true
	}
	return ok
}

// statFieldName names field number n in an error message.
func statFieldName(n int) string {
	names := map[int]string{
		3: "state", 4: "ppid", 9: "flags", 10: "minflt", 12: "majflt", 14: "utime", 15: "stime",
		20: "num_threads", 22: "starttime", 26: "startcode", 28: "startstack",
	}
	if name, ok := names[n]; ok {
		return strconv.Itoa(n) + " (" + name + ")"
	}
	return strconv.Itoa(n)
}

// kernel reports whether this is a kernel thread.
func (s stat) kernel() bool { return s.flags&kernelThreadFlag != 0 }

// ended reports whether the process has ended and given up its memory, command line and environment.
func (s stat) ended() bool { return endedState(s.state) }

// endedState reports whether a state is that of a process that has ended.
func endedState(state byte) bool { return state == 'Z' || state == 'X' || state == 'x' }

// idleSince reports whether the process has done nothing measurable since before was read.
func (s stat) idleSince(before stat) bool {
	return s.utime == before.utime && s.stime == before.stime &&
		s.StatCounters == before.StatCounters &&
		s.threads == before.threads && s.state == before.state
}

// executedSince reports whether the process has executed another program since before was read: its code or stack lie
// elsewhere. Stacks are placed at random, so this holds for the same program too. The kernel hides both addresses of
// other users' processes from the unprivileged, and an ended process has none.
func (s stat) executedSince(before stat) bool {
	return !s.ended() && (s.startCode != before.startCode || s.startStack != before.startStack)
}
