package top

import (
	"cmp"
	"slices"
)

// arrange makes the rows that the list shows of the frame, and moves the cursor along.
func arrange(m *Model) {
	if m.frame == nil {
		m.rows = nil
		return
	}
	rows := picked(m)
	if m.list.groupBy != "" {
		rows = grouped(m, rows)
	}
	order(m, rows)
	if m.list.tree && m.list.groupBy == "" {
		rows = asTree(m, rows)
	}
	m.rows = rows
	placeCursor(m)
}

// picked are the rows of the frame that the list shows.
func picked(m *Model) []*Row {
	l := &m.list
	rows := make([]*Row, 0, len(m.frame.Rows))
	for i := range m.frame.Rows {
		r := &m.frame.Rows[i]
		r.place = place{}
		if l.follow && r.ID() == m.cursor.id {
			rows = append(rows, r)
			continue
		}
		if l.hideEnded && r.End != nil || l.active && !isActive(r) || !l.filter.picks(r, &m.names) {
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// isActive reports whether a process used something, as far as is known.
func isActive(r *Row) bool {
	return r.CPUPercent > 0 || r.End != nil || rises(r.ReadRate) || rises(r.WriteRate) || rises(r.NetRate)
}

// rises says that a rate is known and not 0.
func rises(rate *float64) bool { return rate != nil && *rate > 0 }

// order sorts rows. What is not known comes last, whichever way the order goes.
func order(m *Model, rows []*Row) {
	if m.list.hold != nil {
		byHeldOrder(m.list.hold, rows)
		return
	}
	c := columnNamed(m.list.sort)
	type keyed struct {
		row   *Row
		value float64
		text  string
		known bool
	}
	keys := make([]keyed, len(rows))
	for i, r := range rows {
		keys[i].row = r
		if c.number != nil {
			keys[i].value, keys[i].known = c.value(r)
			continue
		}
		keys[i].text, keys[i].known = c.text(r, &m.names), true
	}
	way := 1
	if m.list.reverse {
		way = -1
	}
	// Numbers go from the largest, but what names a process goes from the smallest, as texts do.
	if c.unit == bare {
		way = -way
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if a.known != b.known {
			return cmp.Compare(btoi(b.known), btoi(a.known))
		}
		return cmp.Or(way*cmp.Compare(b.value, a.value), way*cmp.Compare(b.text, a.text), cmp.Compare(a.row.Host, b.row.Host), cmp.Compare(a.row.PID, b.row.PID),
			cmp.Compare(a.row.StartTicks, b.row.StartTicks))
	})
	for i := range keys {
		rows[i] = keys[i].row
	}
}

// byHeldOrder keeps rows where they were. New ones come last, by pid.
func byHeldOrder(held map[ID]int, rows []*Row) {
	rank := func(r *Row) int {
		if n, ok := held[r.ID()]; ok {
			return n
		}
		return len(held) + 1
	}
	slices.SortStableFunc(rows, func(a, b *Row) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.PID, b.PID)) })
}

// placeCursor finds the selected process among the rows and keeps its line on the screen. One that went stays where it was, as a ghost.
func placeCursor(m *Model) {
	c := &m.cursor
	if c.seek > 0 {
		seekTrouble(m)
	}
	if !c.pinned {
		c.index, c.top, c.ghost = 0, 0, nil
		if len(m.rows) > 0 {
			c.id = m.rows[0].ID()
		}
		return
	}
	onScreen := c.index - c.top
	i := slices.IndexFunc(m.rows, func(r *Row) bool { return r.ID() == c.id })
	if i >= 0 {
		copied := *m.rows[i]
		c.ghost = &copied
	} else if c.ghost != nil && !inFrame(m, c.id) && m.clock.mode == live {
		c.ghost.Missing = true
		i = min(c.index, len(m.rows))
		m.rows = slices.Insert(m.rows, i, c.ghost)
	}
	if i < 0 {
		i = max(0, min(c.index, len(m.rows)-1))
		if len(m.rows) > 0 {
			c.id = m.rows[i].ID()
		}
	}
	c.index = i
	c.top = i - onScreen
	scroll(m)
}

// inFrame reports whether the frame has a process, shown or not.
func inFrame(m *Model, id ID) bool {
	return slices.ContainsFunc(m.frame.Rows, func(r Row) bool { return r.ID() == id })
}

// seekTrouble selects the process that died at the time that was sought, or else the one about which an episode began then.
func seekTrouble(m *Model) {
	c := &m.cursor
	is := func(at float64) bool { return at > c.seek-1e-3 && at < c.seek+1e-3 }
	i := slices.IndexFunc(m.rows, func(r *Row) bool { return r.End != nil && failed(r.End) && is(r.End.Timestamp) })
	for n := len(m.frame.Found) - 1; n >= 0 && i < 0; n-- {
		if id, of := aboutProcess(&m.frame.Found[n]); of && is(m.frame.Found[n].Started) {
			i = slices.IndexFunc(m.rows, func(r *Row) bool { return r.ID() == id })
		}
	}
	if i >= 0 {
		c.id, c.index, c.pinned = m.rows[i].ID(), i, true
		c.top = max(0, i-listHeight(m)/2)
	}
	c.seek = 0
}

// scroll keeps the selected row on the screen.
func scroll(m *Model) {
	c, n := &m.cursor, listHeight(m)
	c.top = min(c.top, c.index)
	c.top = max(c.top, c.index-n+1)
	c.top = max(0, min(c.top, len(m.rows)-n))
}

// What stands above and below the list.
const (
	leastWidth  = 40
	leastHeight = 12
	footLines   = 1
)

// headLines is how many lines stand above the rows: fewer on a small screen.
func headLines(m *Model) int {
	switch {
	case m.height < 16:
		return 3 // title, alert, head of the table
	case m.height < 20:
		return 5 // and CPU and load
	}
	return 7 // and the time line
}

// listHeight is how many rows the list shows.
func listHeight(m *Model) int { return max(1, m.height-headLines(m)-footLines) }
