package schema

import "crypto/sha256"

// MaxSteps is how many steps a [RunRecord] holds.
const MaxSteps = 4096

// RunRecord is what is known of one run, as whoever projects the log has put it together: with its number, and with its totals when it
// has ended. A record of the same run that has a higher number as a message ([Envelope.Seq]) replaces it.
type RunRecord struct {
	JobID         string     `json:"job_id"`               // the job; the subject says whose it is
	Run           RunID      `json:"run"`                  // its id
	Number        int64      `json:"number"`               // of the run within its job and host, or within the fleet's job, from 1; it never changes
	Started       int64      `json:"started_ns"`           // Unix nanoseconds, as are all times here; in whole microseconds
	Ended         Opt[int64] `json:"ended_ns"`             // unknown while it goes on
	Since         Opt[int64] `json:"since_ns"`             // it ended between this and ended_ns; unknown where ended_ns is exact
	Inferred      bool       `json:"inferred"`             // nobody saw the end; it was concluded
	ExitCode      Opt[int64] `json:"exit_code"`            // of the run, where it is known
	Signal        Opt[int64] `json:"signal_num"`           // the signal that ended it
	Details       string     `json:"details"`              // text for people
	Status        string     `json:"status"`               // a word, such as running or failed
	Command       string     `json:"command"`              // command line, scrubbed
	TotalSheets   Opt[int64] `json:"total_sheets"`         // steps that it has
	LastCompleted Opt[int64] `json:"last_completed_sheet"` // the last step that is done
	LastEvent     int64      `json:"last_event_ns"`        // when something was last told of it
	Totals        *Totals    `json:"totals,omitempty"`     // what it used in all; only of one that has ended
	Steps         []RunStep  `json:"steps,omitempty"`      // by number, rising; the first MaxSteps
	// LowerBound says that ends of processes may be missing in its time: figures from exits are at least what it used.
	LowerBound bool `json:"lower_bound,omitzero"`
}

// RunStep is a step (sheet) of a [RunRecord].
type RunStep struct {
	Sheet    int64      `json:"sheet_num"`        // its number
	Started  Opt[int64] `json:"started_ns"`       // Unix nanoseconds
	Ended    Opt[int64] `json:"ended_ns"`         // Unix nanoseconds; unknown while it goes on
	ExitCode Opt[int64] `json:"exit_code"`        // of the step, where it is known
	Signal   Opt[int64] `json:"signal_num"`       // the signal that ended it
	Status   string     `json:"status"`           // a word
	Totals   *Totals    `json:"totals,omitempty"` // what the step used in all
}

// RecordInstance returns the identity under which every database publishes the records of a run: two that make the same one make one
// message. The message's number says how many records of the run there are.
func RecordInstance(host, job string, run RunID) Instance {
	b := append([]byte("run record\x00"), host...)
	b = append(append(b, 0), job...)
	sum := sha256.Sum256(append(append(b, 0), run[:]...))
	return Instance(sum[:16])
}
