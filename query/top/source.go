package top

import (
	"context"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Source answers what a model requests. Each call may take as long as ctx lets it. Several goroutines may ask at once.
type Source interface {
	// Frame returns what is known of a time, in Unix seconds, of a host, or of all when it is empty.
	Frame(ctx context.Context, at float64, host string) (*Frame, error)
	// Line returns the time line of a range.
	Line(ctx context.Context, r query.Range, cells int) (*Line, error)
	// Step returns the time of the next stop from a time on, or of the one before; 0 when there is none.
	Step(ctx context.Context, from float64, to Stop, back bool, host string) (float64, error)
	// Jobs, Events and Detail return what their screens show.
	Jobs(ctx context.Context, q AskJobs) (*Jobs, error)
	Events(ctx context.Context, q AskEvents) (*Happenings, error)
	Detail(ctx context.Context, q AskDetail) (*Detail, error)
	// Story returns what is to be told of a process or a run, in lines of text.
	Story(ctx context.Context, q AskStory) ([]string, error)
	// Now is the time now, by the clock of the machine on which the screen is, in Unix seconds.
	Now() float64
}

// Stop is where a step in time ends.
type Stop int

// The stops.
const (
	StopSample  Stop = iota // a snapshot, or the begin of a hole
	StopTrouble             // an end that failed, or the start of an episode
	StopHole                // the begin of a hole
)

// Line is what a time line shows: cells of equal length.
type Line struct {
	From, To float64 // Unix seconds
	Cells    []Cell
	Most     float64 // the largest value of a cell
}

// Cell is a stretch of a time line.
type Cell struct {
	CPU      float64 // percent of a core, of all processes
	Known    bool    // anything was measured in it
	Recorded bool    // it lies within the record: not before its begin, and not after now
	Hole     bool    // a part of it was not measured
	Death    string  // the mark of the gravest death in it; empty for none
	// Anomaly is the worst severity of the episodes that began in it; empty for none.
	Anomaly schema.Severity
}
