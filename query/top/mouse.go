package top

import "github.com/proctape/proctape/query/term"

// wheelRows is how many rows a step of the wheel moves the cursor.
const wheelRows = 3

// What the mouse does.
type (
	// Clicked is a click of the first button: the cell, from 0.
	Clicked struct{ X, Y int }
	// Wheeled is a step of the wheel.
	Wheeled struct{ Up bool }
)

// wheel moves the cursor, or the help.
func wheel(m *Model, up bool) {
	if m.prompt != nil {
		return
	}
	by := wheelRows
	if up {
		by = -by
	}
	move(by)(m)
}

// click does what the cell stands for: a key of the bottom line, a column, a time, a row.
func click(m *Model, x, y int) {
	switch {
	case m.prompt != nil || m.width < leastWidth || m.height < leastHeight:
	case y == m.height-1:
		clickFoot(m, x)
	case m.frame == nil || m.screen == helpScreen:
	case isTable(m.screen):
		clickTable(m, y)
	case y == headLines(m)-1:
		clickColumn(m, x)
	case headLines(m) >= 7 && (y == headLines(m)-2 || y == headLines(m)-3):
		clickTime(m, x)
	case y >= headLines(m):
		clickRow(m, m.cursor.top+y-headLines(m))
	}
}

// clickFoot presses the key on which the click is.
func clickFoot(m *Model, x int) {
	at := 0
	for _, k := range footKeys(m) {
		if at += footKey(k).width(); x < at {
			press(m, Pressed{Key: k.Keys[0]})
			return
		}
	}
}

// clickTable selects a row of a table; of the selected one it does what Enter does.
func clickTable(m *Model, y int) {
	c := cursorOf(m, m.screen)
	row := c.top + y - 3 // below the title, the alert line and the head
	switch {
	case y < 3 || row >= len(tableOf(m).rows):
	case row == c.index:
		enterTable(m)
	default:
		moveTable(m, row-c.index)
	}
}

// clickColumn sorts by the column on whose head the click is.
func clickColumn(m *Model, x int) {
	at := 1
	columns := visibleColumns(m)
	for i, c := range columns {
		if at += c.width + 1; x < at || i == len(columns)-1 && x < at+term.Width(c.Head) {
			sortBy(c.Name)(m)
			return
		}
	}
}

// clickTime goes to the middle of the cell of the time line on which the click is.
func clickTime(m *Model, x int) {
	l := m.line
	if l == nil {
		return
	}
	i := x - lineStart(m, l)
	if l.within(i) && l.Cells[i].Recorded {
		goTo(m, l.start(i)+l.cell()/2)
	}
}

// clickRow selects a row; of the selected one it does what Enter does.
func clickRow(m *Model, row int) {
	switch {
	case row >= len(m.rows):
	case row == m.cursor.index && m.cursor.pinned:
		enter(m)
	default:
		moveTo(m, row)
	}
}
