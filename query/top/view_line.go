package top

import "github.com/proctape/proctape/query/term"

// lineView is the time line: a row of CPU, and below it deaths and gaps, with the time that is shown under its cell.
func lineView(m *Model) []line {
	l := m.line
	if l == nil || len(l.Cells) == 0 {
		return []line{nil, nil}
	}
	bars := line{lineBegin(m, l)}
	marks := line{{"      ", faint}}
	at := l.index(shown(m))
	for i, c := range l.Cells {
		bars = append(bars, barView(m, l, &c))
		switch {
		case c.Death != "":
			marks = append(marks, span{c.Death, markRole(c.Death)})
		case c.Anomaly != "":
			_, how := anomalyMark(c.Anomaly)
			marks = append(marks, span{"◆", how})
		case c.Hole:
			marks = append(marks, span{"▨", gap})
		case i == at:
			marks = append(marks, span{"↑", accent})
		default:
			marks = append(marks, span{"·", faint})
		}
		if i == at {
			bars[len(bars)-1].role = selected
		}
	}
	return []line{append(bars, span{" ▏" + m.zone.minute(l.To), faint}), marks}
}

// lineBegin stands before the cells of the time line.
func lineBegin(m *Model, l *Line) span { return span{" " + m.zone.minute(l.From), faint} }

// lineStart is where on the screen the first cell is.
func lineStart(m *Model, l *Line) int { return term.Width(lineBegin(m, l).text) }

// barView is a cell of the time line: its CPU, or that it is not known.
func barView(m *Model, l *Line, c *Cell) span {
	switch {
	case !c.Recorded:
		return span{" ", plain}
	case !c.Known || c.Hole:
		return span{"▨", gap}
	}
	return span{m.glyphs.spark([]point{{c.CPU, true}}, l.Most, 1), plain}
}

func markRole(mark string) role {
	if mark == "■" {
		return oom
	}
	return bad
}
