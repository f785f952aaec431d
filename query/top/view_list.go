package top

import (
	"fmt"

	"github.com/proctape/proctape/query/term"
)

// listView is the table of processes.
func listView(m *Model) []line {
	columns := visibleColumns(m)
	lines := []line{tableHead(m, columns)}
	if len(m.rows) == 0 {
		return append(lines, line{{" " + emptyText(m), faint}})
	}
	until := min(len(m.rows), m.cursor.top+listHeight(m))
	for i := m.cursor.top; i < until; i++ {
		lines = append(lines, rowView(m, m.rows[i], columns, i == m.cursor.index))
	}
	return lines
}

// emptyText says why there are no rows, and what to do.
func emptyText(m *Model) string {
	switch {
	case m.frame == nil:
		return ""
	case m.list.filter.text != "":
		return fmt.Sprintf("No process matches %q. Esc clears the filter.", term.Safe(m.list.filter.text))
	case len(m.frame.Rows) > 0:
		return "No process is left by a and x."
	}
	return "No process was recorded then."
}

// tableHead names the columns, marks the one by which the rows are sorted, and says what is left out.
func tableHead(m *Model, columns []*Column) line {
	l := line{{" ", heading}}
	for i, c := range columns {
		head := c.Head
		if c.Name == m.list.sort && m.list.hold == nil {
			head += map[bool]string{false: "▼", true: "▲"}[m.list.reverse]
		}
		if i == len(columns)-1 {
			l = append(l, span{head, heading})
			break
		}
		l = append(l, span{term.Pad(term.Fit(head, c.width+btoi(head != c.Head && c.left)), c.width, !c.left), heading}, span{" ", heading})
		if over := term.Width(l[len(l)-2].text) - c.width; over > 0 { // the mark takes the space behind it
			l = l[:len(l)-1]
		}
	}
	var notes line
	if f := m.list.filter.text; f != "" {
		notes = append(notes, span{" /" + term.Safe(f), accent})
	}
	if m.list.hold != nil {
		notes = append(notes, span{" order held", warn})
	}
	notes = append(notes, span{fmt.Sprintf(" %d/%d", len(m.rows), frameRows(m)), faint})
	return spread(cut(l, max(0, m.width-notes.width())), notes, m.width)
}

func frameRows(m *Model) int {
	if m.frame == nil {
		return 0
	}
	return len(m.frame.Rows)
}

// rowView is a row of the table.
func rowView(m *Model, r *Row, columns []*Column, chosen bool) line {
	mark := " "
	if m.list.tags[r.ID()] {
		mark = "*"
	}
	if chosen {
		mark = "▸"
	}
	l := line{{mark, plain}}
	how := rowRole(m, r)
	for i, c := range columns {
		text := c.cell(r, &m.names)
		if i == len(columns)-1 {
			l = append(l, commandView(m, r, text, m.width-l.width(), how)...)
			break
		}
		cellRole := how
		if c.Name == "state" && r.End != nil {
			_, cellRole = deathMark(r.End)
		}
		l = append(l, span{term.Pad(term.Fit(text, c.width), c.width, !c.left), cellRole}, span{" ", plain})
	}
	if chosen {
		return l.fill(m.width, plain).all(selected)
	}
	return l
}

// rowRole is how a row looks: what is old, missing or ended is faint.
func rowRole(m *Model, r *Row) role {
	if r.End != nil || r.Missing || awaits(m) || m.clock.mode == live && oldness(m) > 0 {
		return faint
	}
	return plain
}

// commandView is the last column: the mark of an episode, the command, and of one that ended when it did.
func commandView(m *Model, r *Row, text string, width int, how role) line {
	l := line{{r.place.branch, how}}
	l = append(l, markSpan(r.Severity)...)
	if r.End == nil {
		return append(l, span{term.Fit(text, max(0, width-l.width())), how})
	}
	end := " † " + m.zone.clock(r.End.Timestamp) + " " + endText(r.End)
	_, endRole := deathMark(r.End)
	return append(l, span{term.Fit(text, max(4, width-l.width()-term.Width(end))), how}, span{end, endRole})
}
