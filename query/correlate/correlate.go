// Package correlate says what goes with failure and with slowness, over the runs of a job: their memory, CPU, I/O, waiting, processes, system
// calls and hosts. It tests all of it at once, and corrects for that; where too few runs are known, it says so and tests nothing.
package correlate

import "github.com/proctape/proctape/query"

// Answer is what goes with failure and with slowness over the runs of a job.
type Answer struct {
	JobID string `json:"job_id"`
	Host  string `json:"host"` // whose runs they are; empty for those of all hosts and of the fleet
	// Runs are those that have ended; how each ended is known but for Unknown of them. Slowness is of those that ended well.
	Runs    int      `json:"runs"`
	Well    int      `json:"succeeded"` // with exit code 0
	Failed  int      `json:"failed"`    // with another code, or by a signal
	Unknown int      `json:"outcome_not_known"`
	First   *float64 `json:"first_started"` // Unix seconds; nil where there is no run
	Last    *float64 `json:"last_started"`
	// Correlations are all that was tested: what stands out first, each part by how surely.
	Correlations []Correlation `json:"correlations"`
	Untested     []Untested    `json:"untested"`
	Alpha        float64       `json:"alpha"`         // what stands out is chance in at most this share
	MinRuns      int           `json:"min_runs"`      // a test needs so many runs in all,
	MinSide      int           `json:"min_side"`      // and so many on each side
	LeastEffect  float64       `json:"min_effect"`    // a smaller effect does not stand out, however sure it is
	Left         int           `json:"runs_left_out"` // older runs that were not read
	Notes        []string      `json:"notes"`         // what the reader must know, in words
	// Coverage is how much is known of the time of the job, on each host that told of it.
	Coverage []query.Coverage `json:"coverage"`
}

// Word is one of the words of this package: a factor, a test, the type of a correlation.
type Word string

// Outcome is what something goes with.
type Outcome string

// The outcomes.
const (
	Failure  Outcome = "failure"  // runs that failed against those that ended well
	Slowness Outcome = "slowness" // how long runs took that ended well
)

// The tests.
const (
	MannWhitney Word = "mann-whitney" // a number, in two groups of runs
	FisherExact Word = "fisher"       // counts of runs
	Spearman    Word = "spearman"     // a number against the time that a run took
)

// Correlation is one factor against one outcome.
type Correlation struct {
	Type    Word    `json:"type"`            // FACTOR_vs_OUTCOME, such as memory_vs_failure
	Factor  Word    `json:"factor"`          // memory, cpu, ...
	Value   string  `json:"value,omitempty"` // of a factor that is a word: the host, the system call
	Unit    string  `json:"unit"`            // of the medians
	Outcome Outcome `json:"outcome"`
	Method  Word    `json:"method"`
	N       int     `json:"sample_size"`
	// With are the failed runs, the slower half, or the runs with the value; Without are the others.
	With    Group `json:"with"`
	Without Group `json:"without"`
	// Effect is from -1 to 1. Of mann-whitney it is the share of pairs in which the first group has more, less that in which it has less; of fisher
	// the difference of the failure rates; of spearman the correlation of ranks.
	Effect    float64 `json:"effect"`
	P         float64 `json:"p"` // how often chance alone gives as much
	Q         float64 `json:"q"` // p, corrected for all tests of this answer (Benjamini and Hochberg)
	StandsOut bool    `json:"stands_out"`
	Expected  bool    `json:"expected"` // it follows from the outcome: a run that fails ends early, and has less of what adds up
	label     string
}

// Group is one of the two groups of runs of a correlation.
type Group struct {
	N           int      `json:"sample_size"`
	Median      *float64 `json:"median"`       // of the factor; of one that is a word, of the seconds that the runs took
	FailureRate *float64 `json:"failure_rate"` // of a factor that is a word, against failure
}

// Untested is a factor that was not tested against an outcome, and why.
type Untested struct {
	Type   Word   `json:"type"`
	Reason string `json:"reason"`
	label  string
}

// StandsOut are the correlations that stand out and do not follow from the outcome.
func (a *Answer) StandsOut(outcome Outcome) (found []*Correlation) {
	for i := range a.Correlations {
		if c := &a.Correlations[i]; c.StandsOut && !c.Expected && c.Outcome == outcome {
			found = append(found, c)
		}
	}
	return found
}
