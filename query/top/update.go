package top

import (
	"errors"
	"unicode/utf8"
)

// What happens to a model.
type (
	// Pressed is a key, as the terminal's reader names it. Text is what it types; empty for none.
	Pressed struct{ Key, Text string }
	// Sized is the size of the terminal, in cells.
	Sized struct{ Width, Height int }
	// Ticked is the time now, in Unix seconds.
	Ticked struct{ Now float64 }
	// Framed is the answer to AskFrame.
	Framed struct {
		Frame *Frame
		Err   error
	}
	// Lined is the answer to AskLine.
	Lined struct {
		Line *Line
		Err  error
	}
	// Stepped is the answer to AskStep.
	Stepped struct {
		Asked AskStep
		At    float64 // 0 for none
		Err   error
	}
)

// Update takes in what happened: one of Pressed, Sized, Ticked, Framed, Lined and Stepped.
func (m *Model) Update(what any) {
	switch w := what.(type) {
	case Pressed:
		press(m, w)
	case Sized:
		m.width, m.height = w.Width, w.Height
		scroll(m)
		settle(m)
		askLine(m)
	case Ticked:
		tick(m, w.Now)
	case Framed:
		framed(m, w)
	case Lined:
		if w.Err == nil {
			m.line = w.Line
		}
	case JobsRead:
		m.trouble = w.Err
		if w.Err == nil {
			m.jobs = w.Jobs
		}
		settle(m)
	case EventsRead:
		m.trouble = w.Err
		if w.Err == nil {
			m.events = w.Events
		}
		settle(m)
	case DetailRead:
		m.trouble = w.Err
		if w.Err == nil {
			m.detail = w.Detail
		}
		settle(m)
	case Done:
		say(m, w.Said)
		if w.Err != nil {
			say(m, w.Err.Error())
		}
	case Stepped:
		if w.Err != nil {
			say(m, w.Err.Error())
			return
		}
		stepped(m, w.Asked, w.At)
	}
}

// settle keeps the cursor of a table on it, as what it shows comes and goes.
func settle(m *Model) {
	if isTable(m.screen) && m.frame != nil {
		keepTable(m)
	}
}

// framed takes in a frame. Without one the screen stays, and says why.
func framed(m *Model, w Framed) {
	m.asking = false
	m.trouble = w.Err
	if w.Err == nil {
		m.frame = w.Frame
		m.clock.now = max(m.clock.now, w.Frame.Made)
		arrange(m)
		settle(m)
		askLine(m)
		askScreen(m)
	}
	if m.again {
		askFrame(m)
	}
}

// askLine requests the time line of the hour before the time that is shown, when the one that is there is of another.
func askLine(m *Model) {
	if m.frame == nil || headLines(m) < 7 {
		return
	}
	r, cells := lineRange(m)
	if l := m.line; l != nil && l.From == r.Since && l.To == r.Until && len(l.Cells) == cells && m.clock.mode != live {
		return
	}
	request(m, AskLine{r, cells})
}

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
