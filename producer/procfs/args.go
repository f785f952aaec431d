package procfs

import (
	"bytes"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxArgsSize = 16 << 10 // bytes of a command line that are kept: half of them of its beginning, half of its end
	argsHalf    = maxArgsSize / 2

	// skipped stands for what is left out of a long command line.
	skipped = "…"
	// nameSize is more than the name of an option has.
	nameSize = 256
	// separators end a name, a value or a word in whatever language an argument is written.
	separators = " \t\r\n,;:&=\"'"
	// pairSeparators is more of them than stand in a name and its value: "name": "value",
	pairSeparators = 8
)

// ShortArgs returns the arguments as they are kept of a running process: of a long command line its beginning and its end,
// with "…" between. What stands right behind the cut is left out as well: it may be a secret whose name was cut away.
func ShortArgs(args []string) []string {
	data := []byte(strings.Join(args, "\x00"))
	if len(data) <= maxArgsSize {
		return args
	}
	return longArgs(data[:argsHalf], data[len(data)-argsHalf:], bytes.IndexByte(data[argsHalf:len(data)-argsHalf], 0) < 0)
}

// GivenArgs are the arguments in data, which a source has as the kernel does. Of a command line of more than 16 KiB it holds the first 8 and
// the last 8 KiB; total is how many bytes there are.
func GivenArgs(data []byte, total uint64) []string {
	if total <= maxArgsSize || len(data) != maxArgsSize {
		return parseArgs(data)
	}
	return longArgs(data[:argsHalf], data[argsHalf:], false)
}

// readArgs reads a command line through buf, however long it is. It reports whether something was left out.
func readArgs(dir int, buf []byte) (args []string, cut bool, err error) {
	fd, err := openWaiting(dir, "cmdline", 0)
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(fd)
	size, oneArg := 0, true
	for {
		n, err := readFull(fd, buf[size:])
		size += n
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, false, err
		}
		oneArg = oneArg && bytes.IndexByte(buf[argsHalf:size-argsHalf], 0) < 0
		size = argsHalf + copy(buf[argsHalf:], buf[size-argsHalf:size])
		cut = true
	}
	data := bytes.TrimRight(buf[:size], "\x00") // padding, where a process has written a shorter title
	if !cut && len(data) <= maxArgsSize {
		return parseArgs(data), false, nil
	}
	if len(data) <= maxArgsSize { // the end of a very long one is padding
		return parseArgs(append(bytes.Clone(data[:min(len(data), argsHalf)]), "\x00"+skipped...)), true, nil
	}
	oneArg = oneArg && bytes.IndexByte(data[argsHalf:len(data)-argsHalf], 0) < 0
	return longArgs(data[:argsHalf], data[len(data)-argsHalf:], oneArg), true, nil
}

// longArgs are the arguments in the two ends of a command line. OneArg says that what lies between them is of one argument.
func longArgs(head, tail []byte, oneArg bool) []string {
	args := parseArgs(head)
	end, rest, more := bytes.Cut(tail, []byte{0})
	switch {
	case oneArg && len(args) > 0:
		args[len(args)-1] += skipped + string(behindPair(end))
	case len(end) < nameSize: // perhaps the end of a name, whose value follows
		args = append(args, skipped)
		_, rest, more = bytes.Cut(rest, []byte{0})
	default:
		args = append(args, skipped)
	}
	if !more {
		return args
	}
	return append(args, parseArgs(rest)...)
}

// behindPair is text without what may be of a name and a value that a cut runs through.
func behindPair(text []byte) []byte {
	for range pairSeparators {
		i := bytes.IndexAny(text, separators)
		if i < 0 {
			return nil
		}
		text = text[i+1:]
	}
	return text
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
