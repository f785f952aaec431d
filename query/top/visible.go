package top

import (
	"slices"
)

// visibleColumns are the columns that have room, in order. Those that matter most are taken first.
func visibleColumns(m *Model) []*Column {
	var all []*Column
	for i := range Columns {
		c := &Columns[i]
		if c.priority < extra && (c.Name != "host" || severalHosts(m)) {
			all = append(all, c)
		}
	}
	byPriority := slices.Clone(all)
	slices.SortStableFunc(byPriority, func(a, b *Column) int { return a.priority - b.priority })
	left, taken := m.width-1, map[*Column]bool{}
	for _, c := range byPriority {
		spare := 0
		if c.priority > 4 {
			spare = spareCommand
		}
		if need := c.width + 1; need <= left-spare || c.priority == 1 {
			left -= need
			taken[c] = true
		}
	}
	return slices.DeleteFunc(all, func(c *Column) bool { return !taken[c] })
}

// spareCommand is how much more room a command gets before columns that matter less.
const spareCommand = 16
