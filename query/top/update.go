package top

// What happens to a model.
type (
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

// Update takes in what happened: what a terminal or a clock tells, or the answer to a request.
func (m *Model) Update(what any) {
	switch w := what.(type) {
	case Pressed:
		press(m, w)
	case Clicked:
		click(m, w.X, w.Y)
	case Wheeled:
		wheel(m, w.Up)
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
		} else {
			m.lineSeen = seenOf{} // the next frame asks again
		}
	case JobsRead, EventsRead, DetailRead, StoryRead:
		screenRead(m, w)
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
	seen := seenIn(m.frame)
	if l := m.line; l != nil && l.From == r.Since && l.To == r.Until && len(l.Cells) == cells && (m.clock.mode != live || m.lineSeen == seen) {
		return
	}
	m.lineSeen = seen
	request(m, AskLine{r, cells})
}

// screenRead takes in what a screen other than the processes' shows.
func screenRead(m *Model, answer any) {
	switch w := answer.(type) {
	case JobsRead:
		m.trouble = w.Err
		if w.Err == nil {
			m.jobs = w.Jobs
		}
	case EventsRead:
		m.trouble = w.Err
		if w.Err == nil {
			m.events = w.Events
		}
	case DetailRead:
		m.trouble = w.Err
		if w.Err == nil {
			m.detail = w.Detail
		}
	case StoryRead:
		m.trouble = w.Err
		if w.Err == nil && w.Of == m.storyOf {
			m.story = &w
		}
	}
	settle(m)
}
