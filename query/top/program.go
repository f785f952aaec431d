package top

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// refresh is how often the screen learns the time. A replay is drawn as often.
const refresh = 500 * time.Millisecond

// Hands do what a screen does beside showing.
type Hands struct {
	Keep   func(columns []string) error // keeps the columns that somebody chose
	Signal func(AskSignal) error        // sends a signal; an error says what was not sent, and why
	Mouse  bool                         // the screen takes the mouse, which the terminal then does not have for its own selection
}

// Run shows a model on a terminal until somebody quits or ctx ends, and leaves the terminal as it was.
func Run(ctx context.Context, m *Model, source Source, hands Hands, in io.Reader, out io.Writer, environment []string) error {
	ctx, stop := context.WithCancel(ctx)
	p := &program{ctx: ctx, model: m, source: source, hands: hands, palette: NewPalette(Colours256, false), depth: Colours256}
	_, err := tea.NewProgram(p, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(environment), tea.WithoutSignalHandler()).Run()
	ended := ctx.Err() != nil
	stop()
	p.wait()
	if ended && errors.Is(err, tea.ErrProgramKilled) {
		return nil
	}
	return err
}

// program joins a model and a source to a terminal: it is what bubbletea drives.
type program struct {
	ctx     context.Context // of the program: requests end with it
	model   *Model
	source  Source
	hands   Hands
	palette Palette
	depth   Depth
	light   bool

	mu      sync.Mutex
	closed  bool // no request is begun any more
	pending sync.WaitGroup
}

// Init is called first.
func (p *program) Init() tea.Cmd {
	p.model.Update(Ticked{p.source.Now()})
	return tea.Batch(p.commands(), p.tick(), tea.RequestBackgroundColor)
}

// Update takes in what bubbletea tells.
func (p *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.KeyPressMsg:
		p.model.Update(Pressed{Key: m.String(), Text: m.Key().Text})
	case tea.PasteMsg:
		p.model.Update(Pressed{Text: m.Content})
	case tea.MouseClickMsg:
		if m.Button == tea.MouseLeft {
			p.model.Update(Clicked{m.X, m.Y})
		}
	case tea.MouseWheelMsg:
		if m.Button == tea.MouseWheelUp || m.Button == tea.MouseWheelDown {
			p.model.Update(Wheeled{m.Button == tea.MouseWheelUp})
		}
	case tea.WindowSizeMsg:
		p.model.Update(Sized{m.Width, m.Height})
	case tea.ColorProfileMsg:
		p.depth = depthOf(m.Profile)
		p.palette = NewPalette(p.depth, p.light)
	case tea.BackgroundColorMsg:
		p.light = !m.IsDark()
		p.palette = NewPalette(p.depth, p.light)
	case Ticked:
		p.model.Update(m)
		return p, tea.Batch(p.commands(), p.tick())
	case tea.ResumeMsg, Framed, Lined, Stepped, JobsRead, EventsRead, DetailRead, StoryRead, Done:
		p.model.Update(m)
	}
	return p, p.commands()
}

// View draws the screen.
func (p *program) View() tea.View {
	v := tea.NewView(p.model.View().Styled(&p.palette))
	v.AltScreen = true
	if p.hands.Mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

func depthOf(p colorprofile.Profile) Depth {
	switch p {
	case colorprofile.TrueColor:
		return TrueColour
	case colorprofile.ANSI256:
		return Colours256
	case colorprofile.ANSI:
		return Colours16
	}
	return NoColour
}

func (p *program) tick() tea.Cmd {
	return tea.Tick(refresh, func(time.Time) tea.Msg { return Ticked{p.source.Now()} })
}

// commands are what the model requested.
func (p *program) commands() tea.Cmd {
	var all []tea.Cmd
	for _, r := range p.model.Requests() {
		all = append(all, p.command(r))
	}
	return tea.Batch(all...)
}

// command carries out a request. What is read is read beside the screen, which meanwhile handles keys.
func (p *program) command(r Request) tea.Cmd {
	switch r := r.(type) {
	case AskFrame:
		return p.ask(func() tea.Msg {
			at := r.At
			if at == 0 {
				at = p.source.Now()
			}
			f, err := p.source.Frame(p.ctx, at, r.Host)
			return Framed{f, err}
		})
	case AskLine:
		return p.ask(func() tea.Msg {
			l, err := p.source.Line(p.ctx, r.Range, r.Cells)
			return Lined{l, err}
		})
	case AskStep:
		return p.ask(func() tea.Msg {
			at, err := p.source.Step(p.ctx, r.From, r.To, r.Back, r.Host)
			return Stepped{r, at, err}
		})
	case AskJobs:
		return p.ask(func() tea.Msg {
			j, err := p.source.Jobs(p.ctx, r)
			return JobsRead{j, err}
		})
	case AskEvents:
		return p.ask(func() tea.Msg {
			e, err := p.source.Events(p.ctx, r)
			return EventsRead{e, err}
		})
	case AskDetail:
		return p.ask(func() tea.Msg {
			d, err := p.source.Detail(p.ctx, r)
			return DetailRead{d, err}
		})
	case AskStory:
		return p.ask(func() tea.Msg {
			lines, err := p.source.Story(p.ctx, r)
			return StoryRead{r, lines, err}
		})
	case AskKeep:
		return p.ask(func() tea.Msg { return Done{"", p.hands.Keep(r.Columns)} })
	case AskSignal:
		return p.ask(func() tea.Msg { return Done{signalText(r), p.hands.Signal(r)} })
	case Suspend:
		return tea.Suspend
	case Quit:
		return tea.Quit
	}
	return nil
}

// ask makes a command of a question, for whose end Run waits.
func (p *program) ask(question func() tea.Msg) tea.Cmd {
	return func() tea.Msg {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil
		}
		p.pending.Add(1)
		p.mu.Unlock()
		defer p.pending.Done()
		return question()
	}
}

// wait waits for the questions that were begun.
func (p *program) wait() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.pending.Wait()
}

// IsASCII reports whether a terminal shows ASCII alone, by the locale that an environment names: LC_ALL, or else LC_CTYPE, or else LANG.
func IsASCII(get func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := get(name); v != "" {
			return !isUTF8Locale(v)
		}
	}
	return false
}

// isUTF8Locale reports whether a locale's characters are those of UTF-8.
func isUTF8Locale(name string) bool {
	upper := strings.ToUpper(name)
	return strings.Contains(upper, "UTF-8") || strings.Contains(upper, "UTF8")
}
