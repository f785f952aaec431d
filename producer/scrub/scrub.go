// Package scrub turns a process's argument list into the one-line command that may be published: secrets masked, valid UTF-8, bounded length.
package scrub

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxBytes is the most a command holds beside the "…" that stands for what was cut out of its middle.
const MaxBytes = 4096

const (
	ellipsis = "…"

	// maxInput bounds the work on one command. What lies beyond it is dropped; procfs has shortened what is longer.
	maxInput = 4*MaxBytes + 2*len(ellipsis)
)

// ParseMode reads a mode as a user writes it.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Full, Scrubbed, None:
		return m, nil
	}
	return "", fmt.Errorf("unknown command mode %q: use %q, %q or %q", s, Full, Scrubbed, None)
}

// New returns a Scrubber for mode. A mode that is neither Full nor None means Scrubbed.
// A key that contains one of extraWords (case, '-', '_' and '.' do not matter) has a secret value.
func New(mode Mode, extraWords ...string) *Scrubber {
	s := &Scrubber{mode: mode, shapes: indexShapes(knownShapes[:])}
	for _, w := range extraWords {
		if w = squash(w); w != "" {
			s.extra = append(s.extra, w)
		}
	}
	return s
}

// Command renders args as the one-line command that is published: the arguments joined by one space.
// A process without arguments, such as a kernel thread, is shown as comm in brackets.
// With None, a program that wrote a whole title over args[0] is cut at its first space.
func (s *Scrubber) Command(comm string, args []string) string {
	if len(args) == 0 {
		return limit("["+comm+"]", false)
	}
	switch s.mode {
	case Full:
		text, _, cut := join(nil, args, maxInput)
		return limit(text, cut)
	case None:
		program, _, _ := strings.Cut(args[0], " ")
		return limit(program, false)
	default:
		return s.scrub(args)
	}
}

// scrub joins args and masks what is secret in them.
func (s *Scrubber) scrub(args []string) string {
	var words [64]word
	text, argv, cut := join(words[:0], args, maxInput)
	text, folding := fold(text)
	if folding != nil {
		for i, w := range argv {
			argv[i].span = span{folding.positionIn(w.start), folding.positionIn(w.end)}
		}
	}
	l := line{text: text, folding: folding, scrubber: s}
	(&shapeMarker{line: &l}).markShapes()
	l.markURLs()
	l.markCommand(argv, 0)
	return limit(l.render(), cut)
}

// join joins args by one space, appends where each one lies to words, and stops after about limit bytes.
// It reports whether it left something out.
func join(words []word, args []string, limit int) (text string, _ []word, cut bool) {
	var b strings.Builder
	b.Grow(min(joinedLen(args), 2*limit))
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if b.Len() > limit {
			cut = true
			break
		}
		if len(arg) > limit {
			arg, cut = arg[:limit], true
		}
		start := b.Len()
		b.WriteString(arg)
		words = append(words, word{span: span{start, b.Len()}, first: i == 0})
	}
	return b.String(), words, cut
}

func joinedLen(args []string) int {
	n := len(args)
	for _, arg := range args {
		n += len(arg)
	}
	return n
}

// limit returns s as valid UTF-8 of at most MaxBytes bytes and a "…": of a longer one its beginning and its end, with "…"
// between. Programs name their class, their script and their job at the end of long lines. Cut says that the end of s was cut off.
func limit(s string, cut bool) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if cut {
		s += ellipsis
	}
	if len(s) <= MaxBytes || cut && len(s) <= MaxBytes+len(ellipsis) {
		return s
	}
	head, tail := MaxBytes/2, len(s)-MaxBytes/2
	for !utf8.RuneStart(s[head]) {
		head--
	}
	for !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + ellipsis + s[tail:]
}
