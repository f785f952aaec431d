package top

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// endText says how a process ended.
func endText(e *query.Event) string {
	switch {
	case e.Cause == "oom" || e.Type == "oom":
		return "OOM"
	case e.Signal != nil:
		if name := unix.SignalName(unix.Signal(*e.Signal)); name != "" {
			return name
		}
		return fmt.Sprintf("signal %d", *e.Signal)
	case e.ExitCode != nil:
		return fmt.Sprintf("exit %d", *e.ExitCode)
	}
	return "ended"
}

// commandName is the name of a command: its first word, without the path.
func commandName(command string) string {
	word, _, _ := strings.Cut(command, " ")
	if i := strings.LastIndexByte(word, '/'); i >= 0 && i+1 < len(word) {
		word = word[i+1:]
	}
	if word == "" {
		word = "(not recorded)"
	}
	return term.Safe(word)
}

// failed reports whether an end is a death that matters: by a signal, for memory, or with a code other than 0.
func failed(e *query.Event) bool {
	return e.Cause != "" || e.Signal != nil || e.Type == "oom" || e.Type == "kill" || e.Type == "signal" || e.ExitCode != nil && *e.ExitCode != 0
}

// deathMark is the mark of an end, and its role.
func deathMark(e *query.Event) (string, role) {
	switch {
	case e.Cause == "oom" || e.Type == "oom":
		return "■", oom
	case e.Signal != nil || e.Cause != "" || e.Type == "kill" || e.Type == "signal":
		return "▲", bad
	case e.ExitCode != nil && *e.ExitCode != 0:
		return "✕", bad
	case e.ExitCode == nil:
		return "?", faint
	}
	return "✓", faint
}
