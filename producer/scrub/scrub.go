// Package scrub turns a process's argument list into the one-line command that may be published: secrets masked, valid UTF-8, bounded length.
package scrub

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mode says how much of a command line leaves the machine.
type Mode string

// The modes, from least to most private.
const (
	Full     Mode = "full"     // every argument as it is
	Scrubbed Mode = "scrubbed" // every argument, with secret values masked
	None     Mode = "none"     // the program alone
)

// MaxBytes is the most a command holds before the "…" that marks a cut.
const MaxBytes = 4096

// ellipsis ends a command that was cut.
const ellipsis = "…"

// ParseMode reads a mode as a user writes it.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Full, Scrubbed, None:
		return m, nil
	}
	return "", fmt.Errorf("command mode %q: want %q, %q or %q", s, Full, Scrubbed, None)
}

// A Scrubber renders commands. It never changes after New, so goroutines may share it.
type Scrubber struct {
	mode Mode
}

// New returns a Scrubber for mode.
func New(mode Mode, extraWords ...string) *Scrubber {
	return &Scrubber{mode: mode}
}

// Command renders args as the one-line command that is published.
// A process without arguments, such as a kernel thread, is shown as comm in brackets.
func (s *Scrubber) Command(comm string, args []string) string {
	if len(args) == 0 {
		return limit("[" + comm + "]")
	}
	switch s.mode {
	case Full:
		return limit(strings.Join(args, " "))
	default:
		return limit(args[0])
	}
}

// limit returns s as valid UTF-8 of at most MaxBytes bytes, ending in "…" when something was cut.
func limit(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxBytes {
		return s
	}
	cut := MaxBytes
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ellipsis
}
