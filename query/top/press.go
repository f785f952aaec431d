package top

import (
	"errors"
	"unicode/utf8"
)

// Pressed is a key, as the terminal's reader names it. Text is what it types; empty for none.
type Pressed struct{ Key, Text string }

// press handles a key.
func press(m *Model, p Pressed) {
	if m.prompt != nil {
		typeInto(m, p)
		return
	}
	m.note = ""
	k := keyFor(p.Key, m.screen)
	if m.frame == nil && k != nil && k.Part != partRest {
		return // there is nothing yet that a key could be about
	}
	if k == nil {
		if p.Text != "" {
			say(m, "no key "+p.Text+" here: ? shows those that there are")
		}
		return
	}
	k.do(m)
	m.helpTop = max(0, min(m.helpTop, helpLines()-(m.height-footLines)))
}

// typeInto handles a key while somebody types a line.
func typeInto(m *Model, p Pressed) {
	q := m.prompt
	switch p.Key {
	case "esc", "ctrl+c":
		m.prompt = nil
		if q.stop != nil {
			q.stop(m)
		}
		return
	case "enter":
		if q.err = q.done(m, q.text); q.err == nil && m.prompt == q {
			m.prompt = nil
		}
		return
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(q.text)
		q.text = q.text[:len(q.text)-n]
	case "ctrl+u":
		q.text = ""
	default:
		if len(q.text)+len(p.Text) > longestPrompt {
			return
		}
		q.text += p.Text
	}
	q.err = nil
	if q.typed != nil {
		q.err = q.typed(m, q.text)
	}
}

// longestPrompt is how many bytes somebody can type into a line.
const longestPrompt = 500

// caret is where the error of a prompt's text is, in bytes; -1 for nowhere.
func (p *prompt) caret() int {
	var f *FilterError
	if errors.As(p.err, &f) {
		return f.At
	}
	return -1
}
