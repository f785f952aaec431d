package report

import (
	"fmt"
	"strings"

	"github.com/proctape/proctape/query/term"
)

const (
	plainWidth  = 72 // cells of a timeline where the width is not limited
	leastWidth  = 20
	mostOnLines = 12 // steps that are drawn
)

// timeline draws the steps as bars, with the deaths on them.
func (t *text) timeline(r *RunReport) {
	if len(r.Steps) < 2 || *r.Seconds <= 0 || len(r.Steps) > mostOnLines {
		return
	}
	lead := len(fmt.Sprint(r.Steps[len(r.Steps)-1].Sheet)) + 1
	width := plainWidth
	if t.width > 0 {
		width = min(width, max(leastWidth, t.width-lead))
	}
	cell := func(at float64) int { return min(width-1, max(0, int(float64(width)*(at-r.Started) / *r.Seconds))) }
	t.line("")
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Started == nil || s.Seconds == nil {
			continue
		}
		cells := []rune(strings.Repeat(" ", width))
		for c := cell(*s.Started); c <= cell(*s.Started+*s.Seconds-1e-9); c++ {
			cells[c] = '█'
		}
		for d := range r.Deaths {
			if death := &r.Deaths[d]; death.Sheet != nil && *death.Sheet == s.Sheet {
				c := cell(death.Timestamp)
				if mark := []rune(death.mark())[0]; weightOf(mark) > weightOf(cells[c]) {
					cells[c] = mark
				}
			}
		}
		t.line("%-*d%s", lead, s.Sheet, string(cells))
	}
	from, to := clock(r.Started, "15:04:05"), clock(r.Started+*r.Seconds, "15:04:05")
	t.line("%*s%s", lead, "", from+term.Pad(to, width-term.Width(from), true))
}

// weightOf orders what can stand in a cell.
func weightOf(mark rune) int { return strings.IndexRune(" █✕▲■", mark) }
