package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// text writes lines.
type text struct {
	w     io.Writer
	width int
	err   error
}

// line writes a line. One that is too wide goes on in the next, indented.
func (t *text) line(format string, args ...any) {
	s := strings.TrimRight(term.Safe(fmt.Sprintf(format, args...)), " ")
	for _, part := range term.Wrap(s, t.width) {
		if t.err == nil {
			_, t.err = io.WriteString(t.w, part+"\n")
		}
	}
}

// table writes rows in columns; those whose head begins with a minus stand on the left. Where the width asks for it, the columns of drop are left out,
// the first first, and then the last column is shortened.
func (t *text) table(heads []string, rows [][]string, drop ...string) {
	all := append([][]string{heads}, rows...)
	for t.width > 0 && len(drop) > 0 && total(all) > t.width {
		all, drop = without(all, drop[0]), drop[1:]
		heads = all[0]
	}
	widths := widthsOf(all)
	for n, row := range all {
		var b strings.Builder
		for i, cell := range row {
			if n == 0 {
				cell = strings.TrimPrefix(cell, "-")
			}
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(term.Pad(cell, widths[i], !strings.HasPrefix(heads[i], "-")))
		}
		s := strings.TrimRight(b.String(), " ")
		if t.width > 0 {
			s = term.Fit(s, t.width)
		}
		t.line("%s", s)
	}
}

// without leaves a column out of rows, of which the first is the head.
func without(all [][]string, head string) [][]string {
	out := slices.Index(all[0], head)
	for i := range all {
		all[i] = slices.Delete(slices.Clone(all[i]), out, out+1)
	}
	return all
}

// widthsOf are the widths of columns, of which the first row is the head.
func widthsOf(all [][]string) []int {
	widths := make([]int, len(all[0]))
	for n, row := range all {
		for i, cell := range row {
			if n == 0 {
				cell = strings.TrimPrefix(cell, "-")
			}
			widths[i] = max(widths[i], term.Width(cell))
		}
	}
	return widths
}

// total is how wide a table is, with as much of its last column as a head takes.
func total(all [][]string) (cells int) {
	widths := widthsOf(all)
	for _, w := range widths[:len(widths)-1] {
		cells += w + 2
	}
	return cells + min(widths[len(widths)-1], 12)
}
