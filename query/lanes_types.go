package query

import "cmp"

// Lanes are the runs, steps and processes of a range, to draw them as bars over time.
type Lanes struct {
	From   float64     `json:"from_time"` // Unix seconds, as all times here
	To     float64     `json:"to_time"`
	Runs   []RunBar    `json:"runs"`   // by start
	Groups []LaneGroup `json:"groups"` // that have bars or cells, by host, job and step
	Bars   []LifeBar   `json:"bars"`   // processes that are long enough to be drawn, by group, row and start
	Cells  []LifeCell  `json:"cells"`  // what is too short for that, by group and time
	Cell   float64     `json:"cell_seconds"`
	// CellsOf says what the cells are made of: lives, or minutes where there are very many of those. A cell of minutes counts lives of all lengths.
	CellsOf string `json:"cells_of"`
	Total   int64  `json:"total"` // processes that are long enough for a bar
	Shown   int64  `json:"shown"` // of which so many have one: the longest
	// Coverage is how much is known of the range, up to now, on each host.
	Coverage []Coverage `json:"coverage"`
}

// LaneGroup is a step of a job on a host, or what belongs to none there.
type LaneGroup struct {
	Host  string `json:"host"`
	JobID string `json:"job_id"` // empty for none
	Fleet bool   `json:"fleet"`
	Sheet *int64 `json:"sheet_num"` // nil for none
	Rows  int    `json:"rows"`      // that its bars take: their rows are below it
}

// LifeBar is the life of a process, from its birth to its death. Its row is that of all its time, in any range: the lowest that was free in its group when it
// began, but for a process of which no start and no end was told, which comes above those that have one.
type LifeBar struct {
	Group      int      `json:"group"` // in Groups
	Row        int      `json:"row"`
	Start      float64  `json:"start"`
	End        *float64 `json:"end"`          // nil while it lives, and when nothing told of its end
	Alive      bool     `json:"alive"`        // as far as is known
	Within     *float64 `json:"end_within_s"` // nobody saw the end: it came within so many seconds before End; nil where it was seen
	Class      int      `json:"class"`        // of its length: the whole part of log2(ms)/2; 31 without an end
	PID        int64    `json:"pid"`
	BootID     string   `json:"boot_id"`
	StartTicks int64    `json:"start_ticks"`
	Command    string   `json:"command"`
	ExitCode   *int64   `json:"exit_code"`
	Signal     *int64   `json:"signal_num"`
	OOM        bool     `json:"oom"`         // it was killed for want of memory
	CPUSeconds *float64 `json:"cpu_seconds"` // of all its life, of one that ended
	PeakRSS    *float64 `json:"peak_rss_mb"` // likewise
}

// LifeCell is what began in a group in a time, and is too short to have bars.
type LifeCell struct {
	Group     int      `json:"group"` // in Groups
	Timestamp float64  `json:"timestamp"`
	Lives     int64    `json:"lives"`       // that began; in a cell of minutes, that began or else ended there
	Deaths    int64    `json:"deaths"`      // of which so many ended by a signal
	Seconds   *float64 `json:"seconds"`     // that they lived, in all; nil in a cell of minutes
	CPU       float64  `json:"cpu_seconds"` // that is known of

	starts, ends int64 // of which the more are the lives
}

// RunBar is a run of a job, with its steps.
type RunBar struct {
	JobID    string   `json:"job_id"`
	Host     string   `json:"host"` // empty for one of the fleet
	Fleet    bool     `json:"fleet"`
	ID       string   `json:"run_id"`
	Number   *int64   `json:"run"` // nil while it has none
	Row      int      `json:"row"` // among the runs of its job, of all time: the lowest that was free when it began
	Started  float64  `json:"started"`
	Ended    *float64 `json:"ended"` // nil while it goes on
	ExitCode *int64   `json:"exit_code"`
	Signal   *int64   `json:"signal_num"`
	Status   *string  `json:"status"`
	// Steps are its steps, each on the row of its number. Of a range with many runs there are none: ask for fewer.
	Steps []RunStep `json:"steps"`
}

// OfLives says that cells of lanes are made of lives, and not [OfMinutes].
const OfLives = "lives"

// Bounds of an answer.
const (
	mostBars      = 4000
	mostCells     = 8000
	mostLives     = 20_000 // of which cells are made one by one
	mostStepsRuns = 100    // that are told with their steps
	leastWidth    = 2      // pixels, of a bar
	cellWidth     = 4      // pixels
)

func compareGroups(a, b *LaneGroup) int {
	fleet := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.JobID, b.JobID), cmp.Compare(fleet[a.Fleet], fleet[b.Fleet]), cmp.Compare(deref(a.Sheet, -1), deref(b.Sheet, -1)))
}

func compareBars(a, b LifeBar) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Start, b.Start), cmp.Compare(a.PID, b.PID))
}

func compareCells(a, b LifeCell) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Timestamp, b.Timestamp))
}
