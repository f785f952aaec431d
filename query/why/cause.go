package why

import (
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
)

// causeOf is what an event of an end says of it.
func causeOf(end *query.Event) Cause {
	switch {
	case end.Type == "oom" || end.Cause == "oom":
		return OutOfMemory
	case end.Signal != nil || end.Type != "exit":
		return Signalled
	case end.ExitCode == nil:
		return NotKnown
	case *end.ExitCode != 0:
		return Failed
	}
	return Ended
}

func signalOf(end *query.Event) string {
	text := "a signal"
	if end.Signal != nil {
		text = cmp.Or(unix.SignalName(unix.Signal(*end.Signal)), fmt.Sprintf("signal %d", *end.Signal))
	}
	if end.Core {
		text += ", which dumps core"
	}
	return text
}

// endText says how something ended.
func endText(end *query.Event) string {
	text := "ends, exit code not known"
	switch cause := causeOf(end); {
	case cause == OutOfMemory:
		text = "killed for want of memory"
	case cause == Signalled:
		text = "killed by " + signalOf(end)
	case end.ExitCode != nil:
		text = fmt.Sprintf("exits with %d", *end.ExitCode)
	}
	if end.Details != "" {
		text += ": " + end.Details
	}
	return text
}

// program is the name of what a command line runs.
func program(command string) string {
	name, _, _ := strings.Cut(command, " ")
	if name == "" {
		return "a process"
	}
	return name[strings.LastIndexByte(strings.TrimSuffix(name, "/"), '/')+1:]
}
