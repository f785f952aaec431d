package top

import (
	"fmt"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// View is the screen of a model, as wide and as high as the terminal.
func (m *Model) View() *Screen {
	s := &Screen{glyphs: m.glyphs}
	if m.width < leastWidth || m.height < leastHeight {
		s.add(m.width, line{{fmt.Sprintf("needs %d×%d, is %d×%d", leastWidth, leastHeight, m.width, m.height), plain}})
		return s
	}
	switch m.screen {
	case helpScreen:
		s.lines = append(s.lines, helpView(m)...)
	case jobsScreen, hostsScreen, eventsScreen, detailScreen, storyScreen, columnsScreen:
		s.lines = append(s.lines, tableLines(m)...)
	default:
		s.lines = append(s.lines, headView(m)...)
		s.lines = append(s.lines, listView(m)...)
	}
	for len(s.lines) < m.height-footLines {
		s.lines = append(s.lines, nil)
	}
	s.lines = append(s.lines[:m.height-footLines], footView(m))
	for i := range s.lines {
		s.lines[i] = cut(s.lines[i], m.width)
	}
	return s
}

// tableLines is a screen of a table: the title, the alert line, and the rows.
func tableLines(m *Model) []line {
	t, c := tableOf(m), cursorOf(m, m.screen)
	lines := []line{titleView(m), alertView(m), t.head}
	if len(t.rows) == 0 {
		return append(lines, line{{" " + t.empty, faint}})
	}
	for i := c.top; i < min(len(t.rows), c.top+tableHeight(m)); i++ {
		l := append(line{}, t.rows[i].line...)
		if i == c.index {
			l = cut(l, m.width).fill(m.width, plain).all(selected)
		}
		lines = append(lines, l)
	}
	return lines
}

// footView is the line at the bottom: what somebody types, or the keys that matter most.
func footView(m *Model) line {
	if p := m.prompt; p != nil {
		return promptView(p, m.width)
	}
	var l line
	for _, k := range footKeys(m) {
		l = append(l, footKey(k)...)
	}
	return l
}

// footKeys are the keys that stand at the bottom of a screen.
func footKeys(m *Model) (keys []*Key) {
	for i := range Keys {
		if k := &Keys[i]; k.Foot != "" && keyFor(k.Keys[0], m.screen) == k {
			keys = append(keys, k)
		}
	}
	return keys
}

// footKey is a key at the bottom.
func footKey(k *Key) line {
	name, _, _ := strings.Cut(k.Name, " ")
	return line{{" " + name, accent}, {" " + k.Foot + " ", plain}}
}

// promptView is a line that somebody types, its end where it is too long, with its error behind it.
func promptView(p *prompt, width int) line {
	label := p.label + ": "
	text := term.Safe(p.text)
	var after line
	if p.err != nil {
		what := p.err.Error()
		if at := p.caret(); at >= 0 {
			what = fmt.Sprintf("at %d: %s", at+1, what)
		}
		after = line{{"  " + term.Safe(what), bad}}
	}
	room := max(8, width-term.Width(label)-1-min(after.width(), width/2))
	for term.Width(text) > room {
		_, text, _ = strings.Cut(text, string([]rune(text)[0]))
	}
	return append(line{{label, accent}, {text, plain}, {" ", selected}}, after...)
}
