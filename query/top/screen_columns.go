package top

import (
	"slices"

	"github.com/proctape/proctape/query/term"
)

// columnsTable lists the columns; Enter chooses one, or leaves it out. What was chosen is kept.
func columnsTable(m *Model) tableView {
	t := tableView{head: line{{" Columns: Enter shows one or leaves it out, where there is room", heading}}}
	for i := range Columns {
		c := &Columns[i]
		mark := "[ ] "
		if isChosen(m, c) {
			mark = "[x] "
		}
		t.rows = append(t.rows, tableRow{line{{" " + mark, plain}, {term.Pad(c.Name, 13, false), accent}, {term.Pad(c.Head, 10, false) + c.Help, plain}}, func(m *Model) { choose(m, c) }, nil})
	}
	return t
}

// choose shows a column or leaves it out. Where there is little room, what was chosen last is shown.
func choose(m *Model, c *Column) {
	if c.priority == 1 {
		say(m, c.Head+" is always there")
		return
	}
	if m.list.chosen == nil {
		m.list.chosen = ownColumns()
	}
	if i := slices.Index(m.list.chosen, c.Name); i >= 0 {
		m.list.chosen = slices.Delete(slices.Clone(m.list.chosen), i, i+1)
	} else {
		m.list.chosen = slices.Concat([]string{c.Name}, m.list.chosen)
	}
	request(m, AskKeep{m.list.chosen})
}
