package simulate

import "github.com/proctape/proctape/schema"

// place is a node of a host's tree of processes. Processes come and go, the tree stays: who follows in a place runs one
// of the same programs under the same parent.
type place struct {
	programs []program
	cgroup   string // of what is no job's
	parent   int    // place; init is its own parent
	job      *job   // nil for none
	life            // of the process that is there now
}

// job is a piece of work that runs on a host: its places, and how far it has come. When it has ended, another job of
// the same kind takes its places.
type job struct {
	kind        *jobKind
	first, last int // places [first, last): the root, what runs the step, and the step's workers
	name        string
	cgroup      string
	sheet, of   int64 // the step that runs, and how many there are
	left        int   // processes that come and go before the step is over
}

// progress is what a snapshot says of a job.
func (j *job) progress() schema.JobProgress {
	return schema.JobProgress{JobID: j.name, TotalSheets: schema.Some(j.of), LastCompleted: schema.Some(j.sheet - 1),
		CurrentSheet: schema.Some(j.sheet), Status: statusRunning}
}

// The words for how it went.
const (
	statusRunning   = "running"
	statusCompleted = "completed"
	statusFailed    = "failed"
)
