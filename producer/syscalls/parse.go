package syscalls

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/schema"
)

const maxCalls = 1024 // system calls that a process of a snapshot may have; no kernel has so many

// call is a row of strace's summary.
type call struct {
	name  string
	calls uint64
	time  uint64 // in the call, in any unit
}

// parseSummary parses what strace -c prints, man strace(1), and returns the calls, those that took the most time first.
// There are as many tables as there are word sizes among the traced processes, each with a total of its own; a call
// in two of them is added up, and its share is that of the whole. A process that made no call has no table.
func parseSummary(text string) ([]schema.Syscall, error) {
	rows, err := parseRows(text)
	if err != nil {
		return nil, err
	}
	return shares(merge(rows)), nil
}

// shares are rows with the share of each in the time of all.
func shares(rows []call) []schema.Syscall {
	var total uint64
	for _, r := range rows {
		total += r.time
	}
	var calls []schema.Syscall
	for _, r := range rows {
		calls = append(calls, schema.Syscall{Name: r.name, Calls: r.calls, TimeX100: share(r.time, total)})
	}
	return calls
}

// merge adds up the rows of the same name and puts the largest first.
func merge(rows []call) []call {
	slices.SortStableFunc(rows, func(a, b call) int { return strings.Compare(a.name, b.name) })
	merged := rows[:0]
	for _, r := range rows {
		if last := len(merged) - 1; last >= 0 && merged[last].name == r.name {
			merged[last].calls += r.calls
			merged[last].time += r.time
		} else {
			merged = append(merged, r)
		}
	}
	slices.SortFunc(merged, func(a, b call) int {
		return cmp.Or(-cmp.Compare(a.time, b.time), -cmp.Compare(a.calls, b.calls), strings.Compare(a.name, b.name))
	})
	return merged
}

// share is part of total in hundredths of a percent, rounded.
func share(part, total uint64) uint64 {
	if total == 0 {
		return 0
	}
	return uint64(math.Round(float64(part) / float64(total) * 10000))
}

// header is the first line of a table.
const header = "% time seconds usecs/call calls errors syscall"

// parseRows returns the rows of all tables, without the totals.
func parseRows(text string) ([]call, error) {
	const outside, heading, body, footing = 0, 1, 2, 3
	var rows []call
	at := outside
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		rule := strings.Trim(line, "- \n") == "" && strings.Contains(line, "-")
		switch {
		case at == outside && (len(fields) == 0 || isNotice(line)):
		case at == outside && strings.Join(fields, " ") == header:
			at = heading
		case at == heading && rule:
			at = body
		case at == body && rule:
			at = footing
		case at == body:
			row, err := parseRow(fields)
			if err != nil {
				return nil, fmt.Errorf("%w: %.80q", err, line)
			}
			if rows = append(rows, row); len(rows) > maxCalls {
				return nil, fmt.Errorf("more than %d system calls", maxCalls)
			}
		case at == footing && len(fields) > 0 && fields[len(fields)-1] == "total":
			at = outside
		default:
			return nil, fmt.Errorf("unexpected line %.80q", line)
		}
	}
	if at != outside {
		return nil, errors.New("the table has no end")
	}
	return rows, nil
}

// isNotice reports whether a line outside the tables holds no count: the word size of a process or of the table that
// follows, or a line of the trace itself.
func isNotice(line string) bool {
	return strings.Contains(line, "[ Process PID=") || strings.HasPrefix(line, "System call usage summary for ") || isTrace(line)
}

// isTrace reports whether a line is one of the trace. Although -c asks for none, strace prints the call of a process
// that ended before it could be asked which call it was, strace's syscall_entering_decode: "7470  ???( <detached ...>".
// The forms are those of man strace(1): a call with its end or its tail, "<... read resumed>", "--- SIGCHLD ... ---",
// "+++ exited with 0 +++", and " <ptrace(SYSCALL):No such process>".
func isTrace(line string) bool {
	line = strings.TrimSpace(line)
	after := strings.TrimLeft(line, "0123456789") // the pid
	rest := strings.TrimLeft(after, " ")
	if after == line || rest == after { // no pid, or nothing apart from it
		return strings.HasPrefix(line, "<") && strings.HasSuffix(line, ">")
	}
	switch name, _, opens := strings.Cut(rest, "("); {
	case strings.HasPrefix(rest, "<"):
		return strings.Contains(rest, ">")
	case strings.HasPrefix(rest, "+++ "):
		return strings.HasSuffix(rest, " +++")
	case strings.HasPrefix(rest, "--- "):
		return strings.HasSuffix(rest, " ---")
	default:
		return opens && (isName(name) || name != "" && strings.Trim(name, "?") == "")
	}
}

// hasTable reports whether a summary holds more than notices.
func hasTable(text string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" && !isNotice(line) {
			return true
		}
	}
	return false
}

// parseRow parses a row: share, seconds, timeeconds a call, calls, errors if there were any, name.
func parseRow(fields []string) (call, error) {
	if n := len(fields); n != 5 && n != 6 {
		return call{}, fmt.Errorf("%d fields, not 5 or 6", n)
	}
	c := call{name: fields[len(fields)-1]}
	var ok bool
	if c.time, ok = parseSeconds(fields[1]); !ok {
		return call{}, errors.New("seconds are no number")
	}
	var err error
	if c.calls, err = strconv.ParseUint(fields[3], 10, 48); err != nil {
		return call{}, errors.New("calls are no number")
	}
	if !isName(c.name) {
		return call{}, errors.New("no name of a system call")
	}
	return c, nil
}

// parseSeconds reads seconds with six decimals and returns timeeconds.
func parseSeconds(s string) (uint64, bool) {
	whole, fraction, ok := strings.Cut(s, ".")
	if !ok || len(fraction) != 6 || len(whole) == 0 || len(whole) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+fraction, 10, 64)
	return n, err == nil
}

// isName reports whether s can be the name of a system call: read, clock_nanosleep, syscall_0x1f4, ...
func isName(s string) bool {
	other := func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, other) < 0
}
