package top

import (
	"cmp"
	"time"

	"github.com/proctape/proctape/query"
)

// Options are what a model is told once.
type Options struct {
	Host     string        // only this host; empty for all
	At       float64       // the time at which it begins, Unix seconds; 0 for live
	Filter   string        // with which it begins
	Sort     string        // the column by which it sorts first; empty for cpu
	Since    float64       // nothing before it is known, for it is what came since then; 0 for a record that was there before
	Interval time.Duration // from one frame to the next of a live screen; 0 for 2 seconds
	Location *time.Location
	ASCII    bool                   // the terminal shows ASCII alone
	User     func(uid int64) string // the name of a user
	Time     TimeParser             // reads a time that somebody typed
	Columns  []string               // that were chosen; nil for those of the program
	BootID   string                 // of the machine on which the screen is; empty for no signals
}

// TimeParser reads a time as people write it, in Unix seconds. Now is what "-15m" counts from.
type TimeParser func(text string, now float64) (float64, error)

// mode says what the time of a screen is.
type mode int

const (
	live   mode = iota
	held        // it stopped while the record goes on
	past        // a time that was asked for
	replay      // the past, as it went on
)

// clock is the time that a screen shows.
type clock struct {
	mode   mode
	at     float64   // Unix seconds; of no meaning while live
	now    float64   // as the last tick told
	asked  float64   // when a live screen last asked for a frame
	speed  int       // of a replay
	jump   string    // by how much the last jump went
	before []float64 // where the screen was; 0 for live
}

// screenName is one of the screens.
type screenName int

const (
	processesScreen screenName = iota
	jobsScreen
	hostsScreen
	eventsScreen
	detailScreen
	storyScreen
	columnsScreen
	helpScreen
)

// listing is how the processes are listed.
type listing struct {
	sort      string
	reverse   bool
	filter    Filter
	search    string
	hold      map[ID]int // the order that is held; nil when none is
	hideEnded bool
	active    bool // only those that used something
	tree      bool
	folds     map[ID]bool // of the tree: those below are not shown
	groupBy   string      // a column; empty for none
	tags      map[ID]bool
	follow    bool     // the selected process is listed whatever the filter says
	chosen    []string // columns; nil for those of the program
}

// cursor is where the selection is: an identity, around which the rows move.
type cursor struct {
	id     ID
	pinned bool    // somebody moved it: it stays with its process, or else with the first row
	index  int     // among the rows
	top    int     // the first row that is on the screen
	ghost  *Row    // the selected process after it went, until the cursor moves
	seek   float64 // the time of a death, or of the start of an episode, whose process the next frame selects; 0 for none
}

// Model is the state of a screen. [NewModel] makes one. It is for one goroutine.
type Model struct {
	opts   Options
	names  names
	glyphs *glyphs
	zone   zone

	width, height int
	screen        screenName
	clock         clock
	list          listing
	cursor        cursor
	prompt        *prompt
	helpTop       int // the first line of the help that is on the screen
	tables        map[screenName]*tableCursor
	jobs          *Jobs
	events        *Happenings
	detail        *Detail
	of            ID              // the process of which there is detail, or the host
	story         *StoryRead      // nil while it is read
	storyOf       AskStory        // what the story is of
	storyFrom     screenName      // the screen to go back to
	unfolded      map[string]bool // jobs, and steps of jobs, of which the parts are shown
	note          string          // in the alert line until the next key

	frame    *Frame
	line     *Line
	lineSeen seenOf // what the frame had when the line was asked for
	rows     []*Row // that the list shows, in order
	trouble  error  // why there is no newer frame
	asking   bool   // a frame was requested and has not come
	again    bool   // another frame is to be requested once it has

	requests []Request
}

// tableCursor is the selected row of a screen, and the first that is shown.
type tableCursor struct{ index, top int }

// prompt is a line that somebody types.
type prompt struct {
	label string
	text  string
	err   error
	done  func(m *Model, text string) error // on Enter; an error keeps the prompt
	typed func(m *Model, text string) error // after each key, where it works while it is typed; nil otherwise
	stop  func(m *Model)                    // on Esc; may be nil
}

// Request is what a model wants done: one of those that are named Ask, Suspend and Quit.
type Request any

type (
	// AskFrame asks for the frame of a time; of now when At is 0.
	AskFrame struct {
		At   float64
		Host string
	}
	// AskLine asks for a time line.
	AskLine struct {
		Range query.Range
		Cells int
	}
	// AskStep asks where a step in time ends.
	AskStep struct {
		From float64
		To   Stop
		Back bool
		Host string
	}
	// Suspend asks to stop the program, as Ctrl-Z does.
	Suspend struct{}
	// Quit asks to end it.
	Quit struct{}
)

// NewModel makes a model, which requests its first frame.
func NewModel(o Options) (*Model, error) {
	m := &Model{opts: o, names: names{user: o.User}, glyphs: &unicodeGlyphs, zone: zone{o.Location}, width: 80, height: 24}
	if o.ASCII {
		m.glyphs = &asciiGlyphs
	}
	m.opts.Interval = cmp.Or(o.Interval, 2*time.Second)
	f, err := ParseFilter(o.Filter)
	if err != nil {
		return nil, err
	}
	m.list = listing{sort: "cpu", filter: f, folds: map[ID]bool{}, tags: map[ID]bool{}, chosen: o.Columns}
	m.tables, m.unfolded = map[screenName]*tableCursor{}, map[string]bool{}
	if columnNamed(o.Sort) != nil {
		m.list.sort = o.Sort
	}
	m.clock = clock{jump: "5m", speed: 1}
	if o.At > 0 {
		m.clock.mode, m.clock.at = past, o.At
	}
	askFrame(m)
	return m, nil
}

// Requests returns what the model wants done, once.
func (m *Model) Requests() []Request {
	out := m.requests
	m.requests = nil
	return out
}

// request adds a request.
func request(m *Model, r Request) { m.requests = append(m.requests, r) }

// askFrame requests the frame of the screen's time, and its time line. Only one frame is under way: what is asked meanwhile is asked when it has come.
func askFrame(m *Model) {
	if m.asking {
		m.again = true
		return
	}
	m.asking, m.again = true, false
	at := m.clock.at
	if m.clock.mode == live {
		at = 0
	}
	request(m, AskFrame{at, m.opts.Host})
}

// say puts a note into the alert line.
func say(m *Model, text string) { m.note = text }

// selection is the selected row; nil when there is none.
func selection(m *Model) *Row {
	if m.cursor.index < len(m.rows) {
		return m.rows[m.cursor.index]
	}
	return nil
}
