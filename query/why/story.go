package why

import "github.com/proctape/proctape/query"

// Story is what is known of one process.
type Story struct {
	Process query.Life `json:"process"`
	// Others counts the other processes that had the pid; the story is of the one that was seen last.
	Others  int      `json:"other_lives"`
	Cause   Cause    `json:"cause"`
	Verdict string   `json:"verdict"` // in one sentence, what it came to
	Moments []Moment `json:"moments"` // of its life, oldest first
	// Shortage is who had memory when this process was killed for want of it; nil when it was not.
	Shortage *query.Shortage `json:"shortage"`
	Used     Used            `json:"used"`
	Unknown  []string        `json:"unknown_of_it"` // what of its life is not known, in words
	// Coverage is how much is known of its host while it lived.
	Coverage []query.Coverage `json:"coverage"`
}

// Cause is what a process died of.
type Cause string

// The causes.
const (
	Alive       Cause = "alive"         // it is in the newest snapshot of its host
	NotKnown    Cause = "not_known"     // it is gone, and how is not recorded
	Ended       Cause = "ended"         // with code 0
	Failed      Cause = "failed"        // with another code
	Signalled   Cause = "signalled"     // by a signal
	OutOfMemory Cause = "out_of_memory" // killed by the kernel, which says so
)

// Used is what a process used in its life, as far as it is known.
type Used struct {
	CPUSeconds *float64 `json:"cpu_seconds"`
	PeakRSS    *float64 `json:"peak_rss_mb"`
	Read       *float64 `json:"read_mb"`
	Write      *float64 `json:"write_mb"`
	Lifetime   *float64 `json:"lifetime_seconds"`
	Within     *float64 `json:"within_seconds,omitempty"` // nobody saw the end: CPU, read and write are at least, Lifetime is at most; nil where it was seen
	Source     string   `json:"source"`                   // exit: the kernel's account at its end; samples: the largest that a sample showed
}

// Moment is one thing that happened in a life, or because of its end.
type Moment struct {
	Timestamp float64 `json:"timestamp"` // Unix seconds
	Kind      string  `json:"kind"`      // born, seen, exec, anomaly, largest, death or after
	PID       int64   `json:"pid"`       // whom it happened to
	Text      string  `json:"text"`
}
