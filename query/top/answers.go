package top

import (
	"github.com/proctape/proctape/query"
)

// Jobs is what is recorded of jobs.
type Jobs struct {
	Jobs  []query.Job
	Runs  map[string][]query.Run           // of the jobs that were asked for, by name: the last ones with their steps, the newest first
	Steps map[string]map[int64]query.Sheet // of those of them that have no runs, by name and number
	// Found are the episodes about the runs of the jobs that were asked for, until the time.
	Found []query.Anomaly
}

// Happenings are the events before a time, and the gaps and starts of episodes among them.
type Happenings struct {
	Events    []query.Event // the newest last, each death with its cause
	Gaps      []query.Gap
	Anomalies []query.Anomaly // by when they began
}

// Detail is what is recorded of a process.
type Detail struct {
	ID     ID
	Points []query.HistoryPoint // the newest last
	Events []query.Event        // its own, the newest last
	// Anomalies are the episodes about it that began until the time, the newest last.
	Anomalies []query.Anomaly
}

type (
	// AskJobs asks for the jobs of which anything was seen until a time, with the runs and steps of those that are named.
	AskJobs struct {
		At   float64
		Host string
		Open []string
	}
	// AskEvents asks for the events before a time.
	AskEvents struct {
		At   float64
		Host string
	}
	// AskDetail asks for what is recorded of a process until a time.
	AskDetail struct {
		At float64
		ID ID
	}
	// AskStory asks for what is to be told of a process, of a run of a job, or of the newest run of it, until a time.
	AskStory struct {
		At    float64
		ID    ID     // of a process; empty for a job
		Job   string // empty for a process
		Host  string // whose job it is; empty for the fleet's
		Run   string // its id; empty for the newest
		Width int    // of a line, in cells
	}
	// AskKeep asks to keep which columns were chosen.
	AskKeep struct{ Columns []string }
)

// What comes back. Err is nil when all went well.
type (
	// JobsRead is the answer to AskJobs.
	JobsRead struct {
		Jobs *Jobs
		Err  error
	}
	// EventsRead is the answer to AskEvents.
	EventsRead struct {
		Events *Happenings
		Err    error
	}
	// DetailRead is the answer to AskDetail.
	DetailRead struct {
		Detail *Detail
		Err    error
	}
	// StoryRead is the answer to AskStory.
	StoryRead struct {
		Of    AskStory
		Lines []string
		Err   error
	}
	// Done says how something went that was asked for: Said is what to tell.
	Done struct {
		Said string
		Err  error
	}
)
