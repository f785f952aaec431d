package export

import "github.com/proctape/proctape/query"

// What an export may hold.
const (
	Samples = "samples" // each process of each snapshot
	Events  = "events"  // starts and ends of processes
	Execs   = "execs"   // programs that known processes began to execute
	Runs    = "runs"    // of jobs, with their steps where the format has a place for them
	Gaps    = "gaps"    // what is missing from the recording
)

// AllWhat is all that an export may hold.
var AllWhat = []string{Samples, Events, Execs, Runs, Gaps}

// Question is what is exported.
type Question struct {
	// Filter must have an Until that is not in the future. Its Limit and its order mean nothing here. Of gaps its host alone picks, of runs also its job.
	query.Filter
	What []string // some of [AllWhat]
	// Causes joins the two events of a death by a signal into one, its exit, as [query.WithCauses] does. Such an export is not to be resumed.
	Causes bool
}

// Place is how far an export has come: everything up to it was given to the writer. The zero Place is the beginning.
type Place struct {
	Heads   bool         `json:"heads"` // gaps and runs, which come first
	Samples query.Cursor `json:"samples"`
	Events  query.Cursor `json:"events"`
	Execs   query.Cursor `json:"execs"`
}

// Head is what a writer is told before the first row.
type Head struct {
	Question
	Coverage []query.Coverage // of the range, on each host
	Resumed  bool             // what comes is to be appended to what an earlier writer wrote
}

// Writer takes what is exported: gaps, then runs, then events, execs and snapshots in the order of time. The rows are valid during the call alone. Before a method
// returns, the writer has given all of the row to what lies below it if it is to be resumed behind that row.
type Writer interface {
	Begin(*Head) error
	Gap(*query.Gap) error
	Run(*query.Run) error
	Event(*query.Event) error
	Exec(*query.Exec) error
	Snapshot(*query.Snapshot) error // with its processes
	End() error                     // the export is whole; whatever lies below is not closed
}
