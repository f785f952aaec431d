package top

import (
	"strings"
	"testing"
)

// cellOf is the cell of the first text on the screen.
func cellOf(t *testing.T, m *Model, text string) (x, y int) {
	t.Helper()
	for y, line := range strings.Split(m.View().Plain(), "\n") {
		if before, _, found := strings.Cut(line, text); found {
			return len([]rune(before)), y
		}
	}
	t.Fatalf("no %q on the screen:\n%s", text, m.View().Plain())
	return 0, 0
}

// clickOn clicks on the first text on the screen.
func clickOn(t *testing.T, m *Model, text string) {
	t.Helper()
	x, y := cellOf(t, m, text)
	m.Update(Clicked{x, y})
}

func TestMouse(t *testing.T) {
	m := testModel(t, 30)
	clickOn(t, m, "worker-5 ")
	if m.cursor.id.PID != 5 {
		t.Errorf("a click on a row selects %d", m.cursor.id.PID)
	}
	clickOn(t, m, "RSS")
	if m.list.sort != "rss" || topPID(m) != 30 {
		t.Errorf("a click on a column sorts by %s, first %d", m.list.sort, topPID(m))
	}
	m.Update(Wheeled{})
	if m.cursor.id.PID != 2 { // three below 5, the most memory first
		t.Errorf("the wheel goes to %d", m.cursor.id.PID)
	}
	m.Update(Wheeled{Up: true})
	if m.cursor.id.PID != 5 {
		t.Errorf("the wheel goes back to %d", m.cursor.id.PID)
	}
	clickOn(t, m, "jobs")
	if m.screen != jobsScreen {
		t.Error("a click on a key at the bottom does not press it")
	}
	press1(m, "1")
	m.Requests()
	clickOn(t, m, "worker-5 ")
	if !asked(m.Requests(), func(a AskDetail) bool { return a.ID.PID == 5 }) {
		t.Error("a click on the selected row does not open it")
	}
}

// A click on the time line goes to that time; elsewhere and on what is not recorded it does nothing.
func TestMouse_TimeLine(t *testing.T) {
	m := testModel(t, 3)
	cells := make([]Cell, 60)
	for i := range cells {
		cells[i] = Cell{Known: true, Recorded: i >= 30}
	}
	m.Update(Lined{Line: &Line{From: now - 3600, To: now, Cells: cells, Most: 1}})
	begin := lineStart(m, m.line)
	m.Update(Clicked{begin + 10, 4})
	if m.clock.mode != live {
		t.Error("a click on what is not recorded leaves what is live")
	}
	m.Update(Clicked{begin + 40, 4})
	if want := now - 3600 + 40.5*60; m.clock.mode != past || m.clock.at != want {
		t.Errorf("a click on the time line goes to %f, want %f", m.clock.at, want)
	}
	for _, size := range []Sized{{40, 12}, {80, 24}, {300, 100}, {10, 5}} { // nowhere does it panic
		m.Update(size)
		for x := range size.Width {
			for y := range size.Height {
				m.Update(Clicked{x, y})
			}
		}
	}
}
