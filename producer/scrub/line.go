package scrub

import (
	"cmp"
	"slices"
	"strings"
)

// A span is a piece of a line, from the byte at start up to the one before end.
type span struct{ start, end int }

// A word is one argument, or one shell word inside an argument, without its quotes.
type word struct {
	span
	first bool // begins a command
	piped bool // begins a command that reads the output of the one before
	quote byte // the quote that was around it, or 0
}

// A line is a joined command with the secret pieces found in it so far.
type line struct {
	text     string   // folded
	folding  *folding // nil when the text is as it was written
	scrubber *Scrubber
	marks    []span
}

// at returns the text of a word.
func (l *line) at(w word) string { return l.text[w.start:w.end] }

// mark notes that the bytes from start up to end are secret.
func (l *line) mark(start, end int) {
	if start < end && l.text[start:end] != mask {
		l.marks = append(l.marks, span{start, end})
	}
}

// render returns the text as it was written, with every marked piece replaced by one mask.
func (l *line) render() string {
	text := l.text
	if l.folding != nil {
		text = l.folding.original
		for i, m := range l.marks {
			l.marks[i] = span{int(l.folding.offsets[m.start]), int(l.folding.offsets[m.end])}
		}
	}
	if len(l.marks) == 0 {
		return text
	}
	slices.SortFunc(l.marks, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	var b strings.Builder
	b.Grow(len(text))
	done := 0
	for i := 0; i < len(l.marks); {
		m := l.marks[i]
		for i++; i < len(l.marks) && l.marks[i].start <= m.end; i++ {
			m.end = max(m.end, l.marks[i].end)
		}
		b.WriteString(text[done:m.start])
		b.WriteString(mask)
		done = m.end
	}
	b.WriteString(text[done:])
	return b.String()
}
