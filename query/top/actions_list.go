package top

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// move moves the cursor by rows.
func move(n int) func(*Model) {
	return func(m *Model) {
		if m.screen == helpScreen {
			m.helpTop = max(0, m.helpTop+n)
			return
		}
		if isTable(m.screen) {
			moveTable(m, n)
			return
		}
		moveTo(m, m.cursor.index+n)
	}
}

// page moves the cursor by screens.
func page(n int) func(*Model) {
	return func(m *Model) { move(n * listHeight(m))(m) }
}

// moveTo selects a row. A process that went is dropped when the cursor leaves it.
func moveTo(m *Model, index int) {
	c := &m.cursor
	if old := selection(m); old != nil && old == c.ghost && index != c.index {
		i := c.index
		m.rows = slices.Delete(m.rows, i, i+1)
		if index > i {
			index--
		}
	}
	c.index = max(0, min(index, len(m.rows)-1))
	c.pinned, c.ghost = true, nil
	if r := selection(m); r != nil {
		c.id = r.ID()
		copied := *r
		c.ghost = &copied
	}
	scroll(m)
}

// first goes to the first row, which the cursor then follows.
func first(m *Model) {
	if m.screen == helpScreen {
		m.helpTop = 0
		return
	}
	if isTable(m.screen) {
		moveTable(m, -mostRows)
		return
	}
	m.cursor = cursor{}
	arrange(m)
}

func last(m *Model) { move(mostRows)(m) }

// mostRows is more than any list has.
const mostRows = 1 << 30

// sortBy sorts by a column. The column by which it sorts already is turned round.
func sortBy(name string) func(*Model) {
	return func(m *Model) {
		m.list.reverse = m.list.sort == name && !m.list.reverse
		m.list.sort, m.list.hold = name, nil
		arrange(m)
	}
}

// sortNext sorts by the next column of those on the screen, or by the one before.
func sortNext(by int) func(*Model) {
	return func(m *Model) {
		columns := visibleColumns(m)
		i := slices.IndexFunc(columns, func(c *Column) bool { return c.Name == m.list.sort })
		i = (i + by + len(columns)) % len(columns)
		m.list.sort, m.list.reverse, m.list.hold = columns[i].Name, false, nil
		arrange(m)
	}
}

func reverse(m *Model) {
	m.list.reverse, m.list.hold = !m.list.reverse, nil
	arrange(m)
}

// holdOrder holds the rows where they are, or lets them move again.
func holdOrder(m *Model) {
	if m.list.hold != nil {
		m.list.hold = nil
		say(m, "the order follows the figures again")
	} else {
		m.list.hold = make(map[ID]int, len(m.rows))
		for i, r := range m.rows {
			m.list.hold[r.ID()] = i
		}
		say(m, "the order is held: o lets it go")
	}
	arrange(m)
}

func toggleEnded(m *Model) {
	m.list.hideEnded = !m.list.hideEnded
	arrange(m)
}

func toggleActive(m *Model) {
	m.list.active = !m.list.active
	arrange(m)
}

// askFilter asks for a filter, which works while it is typed. One that cannot be read leaves the one before in force.
func askFilter(m *Model) {
	before := m.list.filter
	set := func(m *Model, text string) error {
		f, err := ParseFilter(text)
		if err == nil {
			m.list.filter = f
			arrange(m)
		}
		return err
	}
	m.prompt = &prompt{label: "filter", text: before.text, done: set, typed: set, stop: func(m *Model) {
		m.list.filter = before
		arrange(m)
	}}
}

func clearFilter(m *Model) {
	m.list.filter = Filter{}
	arrange(m)
}

// askSearch asks for a text, and selects the next row that has it.
func askSearch(m *Model) {
	from := m.cursor
	m.prompt = &prompt{label: "search", typed: func(m *Model, text string) error {
		m.list.search = text
		return find(m, 1, true)
	}, done: func(m *Model, text string) error {
		m.list.search = text
		return nil
	}, stop: func(m *Model) { m.cursor = from }}
}

// searchNext selects the next row that has the text of the last search.
func searchNext(by int) func(*Model) {
	return func(m *Model) {
		if m.list.search == "" {
			say(m, "nothing was searched yet: s searches")
			return
		}
		if err := find(m, by, false); err != nil {
			say(m, err.Error())
		}
	}
}

// find selects the next row of which the pid or the command has the search's text, round the end of the list.
func find(m *Model, by int, here bool) error {
	n := len(m.rows)
	if n == 0 {
		return errors.New("the list is empty")
	}
	for k := range n + 1 {
		if k == 0 && !here || m.list.search == "" {
			continue
		}
		i := ((m.cursor.index+by*k)%n + n) % n
		if r := m.rows[i]; strings.Contains(r.Command, m.list.search) || fmt.Sprint(r.PID) == m.list.search {
			moveTo(m, i)
			return nil
		}
	}
	if m.list.search == "" {
		return nil
	}
	return fmt.Errorf("no process of the list has %q", m.list.search)
}

// showHelp shows the help, and hides it.
func showHelp(m *Model) {
	if m.screen == helpScreen {
		m.screen = processesScreen
		return
	}
	m.screen = helpScreen
}

// back goes back one step: from another screen to the processes, from groups to processes, from tags to none, and from a filter to all.
func back(m *Model) {
	switch {
	case m.screen == storyScreen:
		openScreen(m.storyFrom)(m)
	case m.screen != processesScreen:
		m.screen = processesScreen
	case m.list.groupBy != "":
		m.list.groupBy = ""
		arrange(m)
	case len(m.list.tags) > 0:
		clear(m.list.tags)
	case m.list.filter.text != "":
		clearFilter(m)
	}
}

// nextScreen shows the next screen, or the one before.
func nextScreen(by int) func(*Model) {
	all := []screenName{processesScreen, jobsScreen, hostsScreen, eventsScreen}
	return func(m *Model) {
		i := max(0, slices.Index(all, m.screen))
		openScreen(all[(i+by+len(all))%len(all)])(m)
	}
}

// enter opens the selected row: the detail of a process, or the processes of a group.
func enter(m *Model) {
	r := selection(m)
	switch {
	case isTable(m.screen):
		enterTable(m)
	case m.screen != processesScreen || r == nil:
	case r.place.group != nil:
		openGroup(m, r.place.group.name)
	default:
		openDetail(m, r.ID())
	}
}

// tell shows what is to be told of the selected row.
func tell(m *Model) {
	r := selection(m)
	switch {
	case m.screen == detailScreen && m.of.PID != 0:
		openStory(m, AskStory{ID: m.of})
	case isTable(m.screen):
		if t, c := tableOf(m), cursorOf(m, m.screen); c.index < len(t.rows) && t.rows[c.index].tell != nil {
			t.rows[c.index].tell(m)
		}
	case m.screen == processesScreen && r != nil && r.place.group == nil:
		openStory(m, AskStory{ID: r.ID()})
	}
}

// openGroup shows the processes of a group, by a filter.
func openGroup(m *Model, name string) {
	by := m.list.groupBy
	if by == "job" && name == "(of no job)" {
		say(m, "these belong to no job: Esc shows all processes")
		return
	}
	text := by + `="` + strings.ReplaceAll(name, `"`, "") + `"`
	if by == "command" {
		text = `"` + strings.ReplaceAll(name, `"`, "") + `"`
	}
	f, err := ParseFilter(text)
	if err != nil {
		say(m, err.Error())
		return
	}
	m.list.filter, m.list.groupBy, m.cursor = f, "", cursor{}
	arrange(m)
}

func toggleTree(m *Model) {
	m.list.tree = !m.list.tree
	arrange(m)
}

// fold folds the selected row of the tree, or unfolds it.
func fold(open bool) func(*Model) {
	return func(m *Model) {
		r := selection(m)
		if !m.list.tree || r == nil {
			say(m, "there is a tree with V")
			return
		}
		delete(m.list.folds, r.ID())
		if !open {
			m.list.folds[r.ID()] = true
		}
		m.cursor.pinned, m.cursor.id = true, r.ID()
		arrange(m)
	}
}

// foldAll folds all that have no parent here, or unfolds all.
func foldAll(m *Model) {
	if !m.list.tree {
		say(m, "there is a tree with V")
		return
	}
	if len(m.list.folds) > 0 {
		clear(m.list.folds)
	} else {
		for _, r := range m.rows {
			if r.place.depth == 0 {
				m.list.folds[r.ID()] = true
			}
		}
	}
	arrange(m)
}

// groupNext puts processes together by the next of what they can be.
func groupNext(m *Model) {
	i := slices.Index(GroupBy, m.list.groupBy)
	m.list.groupBy = GroupBy[(i+1)%len(GroupBy)]
	m.cursor = cursor{}
	say(m, "grouped by "+cmp.Or(m.list.groupBy, "nothing")+": g goes on")
	arrange(m)
}

// follow keeps the selected process in the list, whatever the filter says, and lets it go.
func follow(m *Model) {
	m.list.follow = !m.list.follow
	if r := selection(m); m.list.follow && r != nil {
		m.cursor.pinned, m.cursor.id = true, r.ID()
		say(m, fmt.Sprintf("following %d: F lets it go", r.PID))
	}
	arrange(m)
}

// tag tags the selected process, and takes the tag away. The alert line tells what the tagged ones use together.
func tag(m *Model) {
	r := selection(m)
	if r == nil {
		return
	}
	if id := r.ID(); m.list.tags[id] {
		delete(m.list.tags, id)
	} else {
		m.list.tags[id] = true
	}
	move(1)(m)
}

func quit(m *Model)    { request(m, Quit{}) }
func suspend(m *Model) { request(m, Suspend{}) }
