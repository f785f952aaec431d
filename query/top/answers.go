package top

import (
	"github.com/proctape/proctape/query"
)

// Jobs is what is recorded of jobs.
type Jobs struct {
	Jobs  []query.Job
	Steps map[string]map[int64]query.Sheet // of the jobs that were asked for, by name and number
}

// Happenings are the events before a time, and the gaps among them.
type Happenings struct {
	Events []query.Event // the newest last, each death with its cause
	Gaps   []query.Gap
}

// Detail is what is recorded of a process.
type Detail struct {
	ID     ID
	Points []query.HistoryPoint // the newest last
	Events []query.Event        // its own, the newest last
}

type (
	// AskJobs asks for the jobs of which anything was seen until a time, with the steps of those that are named.
	AskJobs struct {
		At    float64
		Host  string
		Steps []string
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
	// Done says how something went that was asked for: Said is what to tell.
	Done struct {
		Said string
		Err  error
	}
)
