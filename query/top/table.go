package top

// tableRow is a row of a screen other than the processes'.
type tableRow struct {
	line  line
	enter func(m *Model) // what Enter does; nil for nothing
	tell  func(m *Model) // what shows more of it; nil where there is no more
}

// tableView is a screen other than the processes': its head, and its rows.
type tableView struct {
	head  line
	rows  []tableRow
	empty string // what is shown without rows
}

// cursorOf is the cursor of a screen.
func cursorOf(m *Model, on screenName) *tableCursor {
	if m.tables[on] == nil {
		m.tables[on] = &tableCursor{}
	}
	return m.tables[on]
}
