package top

import (
	"strings"

	"github.com/proctape/proctape/query/term"
)

// Screen is what a model shows: lines of text in roles, none wider than the terminal.
type Screen struct {
	lines  []line
	glyphs *glyphs
}

// line is a row of a screen.
type line []span

// span is a piece of text in one role. Its text is safe to print.
type span struct {
	text string
	role role
}

// Plain is the screen as text alone.
func (s *Screen) Plain() string {
	rows := make([]string, len(s.lines))
	for i, l := range s.lines {
		var b strings.Builder
		for _, p := range l {
			b.WriteString(s.glyphs.text(p.text))
		}
		rows[i] = strings.TrimRight(b.String(), " ")
	}
	return strings.Join(rows, "\n")
}

// Styled is the screen as a terminal takes it.
func (s *Screen) Styled(p *Palette) string {
	var b strings.Builder
	for i, l := range s.lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, sp := range l {
			text := s.glyphs.text(sp.text)
			if p[sp.role] == "" || text == "" {
				b.WriteString(text)
				continue
			}
			b.WriteString("\x1b[" + p[sp.role] + "m" + text + "\x1b[m")
		}
	}
	return b.String()
}

// add adds a line, cut to a width.
func (s *Screen) add(width int, l line) { s.lines = append(s.lines, cut(l, width)) }

// cut shortens a line to so many cells.
func cut(l line, width int) line {
	left := width
	for i := range l {
		w := term.Width(l[i].text)
		if w > left {
			l = l[:i+1]
			l[i].text = term.Fit(l[i].text, left)
			break
		}
		left -= w
	}
	return l
}

// width is how many cells a line takes.
func (l line) width() (n int) {
	for _, s := range l {
		n += term.Width(s.text)
	}
	return n
}

// fill fills a line with spaces up to a width, so that its background reaches the edge.
func (l line) fill(width int, r role) line {
	if n := width - l.width(); n > 0 {
		return append(l, span{strings.Repeat(" ", n), r})
	}
	return l
}

// all sets one role for the whole line.
func (l line) all(r role) line {
	for i := range l {
		l[i].role = r
	}
	return l
}

// spread puts one line at the left and another at the right end of a row, as far as both fit.
func spread(left, right line, width int) line {
	if n := width - left.width() - right.width(); n > 0 {
		left = append(left, span{strings.Repeat(" ", n), plain})
	}
	return append(left, right...)
}
