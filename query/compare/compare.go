// Package compare compares runs of a job with runs before them, or with runs of another job: what they used in all and step by step,
// by how much that differs, and whether the runs' own spread explains it.
package compare

import "github.com/proctape/proctape/query"

// Comparison is what differs between some runs and those that they are compared with.
type Comparison struct {
	Runs    Side `json:"runs"`
	Against Side `json:"against"`
	// Figures are of whole runs. They alone decide whether something changed. Steps say where.
	Figures []Figure `json:"figures"`
	Steps   []Step   `json:"steps"`
	// MinRelative is the least change of a median that counts, as a share. Each figure has its least absolute change too.
	MinRelative float64  `json:"min_relative"`
	Alpha       float64  `json:"alpha"` // a rank test says that runs differ where chance would do so less often than this, all figures together
	Notes       []string `json:"notes"` // what the reader must know, in words
}

// Side is the runs of one side, by their start.
type Side struct {
	JobID  string `json:"job_id"`
	Runs   []Run  `json:"runs"`
	Failed int    `json:"failed"` // how many of them ended with a code other than 0, or by a signal
}

// Run is one run that is compared.
type Run struct {
	Number     int64   `json:"run"`
	ID         string  `json:"run_id"`
	Host       string  `json:"host"`
	Started    float64 `json:"started"` // Unix seconds
	Failed     bool    `json:"failed"`
	LowerBound bool    `json:"lower_bound"` // figures from exits or samples are at least what it used: they do not decide
	// Incomplete says what is not known of its time, and Coverage how much is.
	Incomplete string           `json:"incomplete"`
	Coverage   []query.Coverage `json:"coverage"`
}

// Step is a step (sheet) of the runs.
type Step struct {
	Sheet   int64    `json:"sheet_num"`
	Figures []Figure `json:"figures"`
}

// Figure is one figure on both sides.
type Figure struct {
	Name          string   `json:"name"` // duration, cpu, peak_rss, read, write or processes
	Unit          string   `json:"unit"` // s, MiB, or nothing for a count
	Runs          Spread   `json:"runs"`
	Against       Spread   `json:"against"`
	Change        *float64 `json:"change"`          // of the median, in the unit
	Relative      *float64 `json:"relative_change"` // as a share of the median that it is compared with; null where that is 0
	MinimumChange float64  `json:"min_change"`      // the least change that counts, in the unit
	// P is how often chance alone would put the runs as far apart (an exact rank test, of two sides); null where there are too few runs.
	P       *float64 `json:"p"`
	Verdict Verdict  `json:"verdict"`
	Note    string   `json:"note,omitempty"` // why the verdict is not surer
}

// Spread is the values that a side has of a figure. A value that is a lower bound or of a run that failed is not among them.
type Spread struct {
	N       int      `json:"n"`
	Left    int      `json:"left_out"` // values that are known but do not decide
	Median  *float64 `json:"median"`
	Least   *float64 `json:"min"`
	Most    *float64 `json:"max"`
	Sources []string `json:"sources"` // that the values are from
}

// Verdict says whether a figure changed.
type Verdict string

// The verdicts.
const (
	More     Verdict = "more"
	Less     Verdict = "less"
	Same     Verdict = "same"      // the change is smaller than what counts
	NotClear Verdict = "not clear" // the runs' own spread, or their number, does not let one say
	NotKnown Verdict = "not known" // one side has no value that decides
)

// Over returns the figures of whole runs that rose by more than a share. A figure whose verdict is not [More] is none of them.
func (c *Comparison) Over(share float64) (over []Figure) {
	for _, f := range c.Figures {
		if f.Verdict == More && (f.Relative == nil || *f.Relative > share) {
			over = append(over, f)
		}
	}
	return over
}

// Undecided returns the figures of whole runs that rose by more than a share, and of which it is not clear whether that is chance.
func (c *Comparison) Undecided(share float64) (undecided []Figure) {
	for _, f := range c.Figures {
		if f.Verdict == NotClear && f.Relative != nil && *f.Relative > share {
			undecided = append(undecided, f)
		}
	}
	return undecided
}
