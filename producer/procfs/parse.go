package procfs

import (
	"errors"
	"fmt"
	"math"
)

// parseUint reads a decimal number that fills b.
func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		digit := uint64(c - '0')
		if digit > 9 || n > (math.MaxUint64-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// parseInt reads a decimal number that fills b and fits 31 bits, as pids and counts of threads do.
func parseInt(b []byte) (int, bool) {
	n, ok := parseUint(b)
	return int(n), ok && n <= math.MaxInt32
}

// parseUpTo reads a decimal number that fills b and is at most most.
func parseUpTo(b []byte, most uint64) (uint64, bool) {
	n, ok := parseUint(b)
	return n, ok && n <= most
}

// parsePIDField reads a pid, or a number of threads, each of which has one.
func parsePIDField(b []byte) (int, bool) {
	n, ok := parseUint(b)
	return int(n), ok && n <= maxPID
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// parsePID reads the name of a process directory.
func parsePID(name []byte) (int, bool) {
	if len(name) == 0 || name[0] == '0' {
		return 0, false
	}
	return parseInt(name)
}

// nextField cuts the first word off data, which blanks, tabs and newlines separate. The word is empty at the end.
func nextField(data []byte) (field, rest []byte) {
	start := 0
	for start < len(data) && isBlank(data[start]) {
		start++
	}
	end := start
	for end < len(data) && !isBlank(data[end]) {
		end++
	}
	return data[start:end], data[end:]
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' }

// errMissing says that a field is not there.
var errMissing = errors.New("is missing")

// fieldError says which field of a file is missing or not what it should be.
func fieldError(name string, value []byte) error {
	if len(value) == 0 {
		return fmt.Errorf("field %s %w", name, errMissing)
	}
	return fmt.Errorf("field %s is %.40q", name, value)
}
