package top

import (
	"slices"
)

// visibleColumns are the columns that have room, in order. Those that matter most are taken first.
func visibleColumns(m *Model) []*Column {
	var all []*Column
	for i := range Columns {
		c := &Columns[i]
		if isChosen(m, c) && (c.Name != "host" || severalHosts(m)) {
			all = append(all, c)
		}
	}
	byPriority := slices.Clone(all)
	slices.SortStableFunc(byPriority, func(a, b *Column) int { return rank(m, a) - rank(m, b) })
	left, taken := m.width-1, map[*Column]bool{}
	for _, c := range byPriority {
		spare := 0
		if c.priority > 4 && m.list.chosen == nil {
			spare = spareCommand
		}
		if need := c.width + 1; need <= left-spare || c.priority == 1 {
			left -= need
			taken[c] = true
		}
	}
	return slices.DeleteFunc(all, func(c *Column) bool { return !taken[c] })
}

// rank orders columns by how much they matter: what is always there, then what was chosen last, or else what the program thinks.
func rank(m *Model, c *Column) int {
	if m.list.chosen == nil || c.priority == 1 {
		return c.priority
	}
	return 2 + slices.Index(m.list.chosen, c.Name)
}

// ownColumns are the columns that the program shows, those that matter most first.
func ownColumns() []string {
	var own []*Column
	for i := range Columns {
		if c := &Columns[i]; c.priority > 1 && c.priority < extra {
			own = append(own, c)
		}
	}
	slices.SortStableFunc(own, func(a, b *Column) int { return a.priority - b.priority })
	names := []string{}
	for _, c := range own {
		names = append(names, c.Name)
	}
	return names
}

// isChosen reports whether a column is shown where there is room: one that somebody chose, or one of the program's.
func isChosen(m *Model, c *Column) bool {
	if m.list.chosen == nil {
		return c.priority < extra
	}
	return c.priority == 1 || slices.Contains(m.list.chosen, c.Name)
}

// spareCommand is how much more room a command gets before columns that matter less.
const spareCommand = 16
