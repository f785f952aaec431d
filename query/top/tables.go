package top

// tableHeight is how many rows a table shows: below the title, the alert line and its head.
func tableHeight(m *Model) int { return max(1, m.height-3-footLines) }

// tableOf is the table of the screen that is shown.
func tableOf(m *Model) tableView {
	switch m.screen {
	case jobsScreen:
		return jobsTable(m)
	case hostsScreen:
		return hostsTable(m)
	case eventsScreen:
		return eventsTable(m)
	case detailScreen:
		if m.of.PID == 0 {
			return hostTable(m)
		}
		return detailTable(m)
	case storyScreen:
		return storyTable(m)
	}
	return columnsTable(m)
}

// moveTable moves the cursor of the screen's table.
func moveTable(m *Model, n int) {
	c, rows := cursorOf(m, m.screen), len(tableOf(m).rows)
	c.index = max(0, min(c.index+n, rows-1))
	keepTable(m)
}

// keepTable keeps the cursor on its table, and on the screen.
func keepTable(m *Model) {
	c, rows, n := cursorOf(m, m.screen), len(tableOf(m).rows), tableHeight(m)
	c.index = max(0, min(c.index, rows-1))
	c.top = max(min(c.top, c.index), c.index-n+1)
	c.top = max(0, min(c.top, rows-n))
}

// enterTable does what the selected row does.
func enterTable(m *Model) {
	rows := tableOf(m).rows
	if c := cursorOf(m, m.screen); c.index < len(rows) && rows[c.index].enter != nil {
		rows[c.index].enter(m)
	}
}

// isTable reports whether a screen is one of tables.
func isTable(s screenName) bool { return s != processesScreen && s != helpScreen }
