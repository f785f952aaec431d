package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/proctape/proctape/query/stats"
)

// What a test needs, and what stands out.
const (
	MinRuns     = 10
	MinSide     = 4
	alpha       = 0.05
	leastEffect = 0.1
)

// Of says what goes with failure and slowness over runs: by all that is known of them, or by what their records have. It reads nothing.
func Of(runs []Observed, recordsOnly bool) *Answer {
	return of(runs, recordsOnly, stats.FalseDiscovery)
}

// of is Of with another correction of many tests.
func of(runs []Observed, recordsOnly bool, correct func(p []float64) []float64) *Answer {
	a := &Answer{Runs: len(runs), Alpha: alpha, MinRuns: MinRuns, MinSide: MinSide, LeastEffect: leastEffect,
		Correlations: []Correlation{}, Untested: []Untested{}, Notes: []string{}}
	var known []*Observed
	for i := range runs {
		o := &runs[i]
		switch {
		case o.failed():
			a.Failed++
		case o.well():
			a.Well++
		default:
			a.Unknown++
			continue
		}
		known = append(known, o)
	}
	for i := range runs {
		if s := &runs[i].Started; a.First == nil || *s < *a.First {
			a.First = s
		}
		if s := &runs[i].Started; a.Last == nil || *s > *a.Last {
			a.Last = s
		}
	}
	a.testAll(known, recordsOnly)
	a.judge(correct)
	if a.Unknown > 0 {
		a.Notes = append(a.Notes, fmt.Sprintf("how %d of the runs ended is not known: they count for nothing", a.Unknown))
	}
	return a
}

// testAll tests every factor against both outcomes.
func (a *Answer) testAll(known []*Observed, recordsOnly bool) {
	var well []*Observed
	for _, o := range known {
		if o.well() && o.seconds() != nil {
			well = append(well, o)
		}
	}
	numbers := factors
	if recordsOnly {
		numbers = factors[:fromRecords]
	}
	for i := range numbers {
		f := &numbers[i]
		a.numberWithFailure(f, known)
		if f.name != "duration" {
			a.numberWithSlowness(f, well)
		}
	}
	for i := range words {
		if w := &words[i]; !recordsOnly || w.name == "host" {
			a.wordWith(w, known, Failure)
			a.wordWith(w, well, Slowness)
		}
	}
}

// judge corrects the p of all tests, says what stands out, and puts that first.
func (a *Answer) judge(correct func([]float64) []float64) {
	all := make([]float64, len(a.Correlations))
	for i := range all {
		all[i] = a.Correlations[i].P
	}
	for i, q := range correct(all) {
		c := &a.Correlations[i]
		c.Q, c.StandsOut = q, q <= alpha && c.matters()
	}
	slices.SortStableFunc(a.Correlations, func(x, y Correlation) int {
		if x.StandsOut != y.StandsOut {
			return map[bool]int{true: -1, false: 1}[x.StandsOut]
		}
		return cmp.Or(cmp.Compare(x.P, y.P), cmp.Compare(x.Type, y.Type), strings.Compare(x.Value, y.Value))
	})
}

// leastChange is how far medians have to lie apart to matter, by their unit.
var leastChange = map[string]float64{"MiB": 4, "s": 0.1, "%": 1, "": 2}

// matters reports whether a difference is large enough to be told, if it is real.
func (c *Correlation) matters() bool {
	if c.With.FailureRate != nil {
		return math.Abs(c.Effect) >= leastEffect
	}
	return math.Abs(c.Effect) >= leastEffect && math.Abs(*c.With.Median-*c.Without.Median) >= leastChange[c.Unit]
}

func typeOf(factor Word, outcome Outcome) Word { return factor + "_vs_" + Word(outcome) }

func (a *Answer) leave(name Word, label string, outcome Outcome, reason string, args ...any) {
	a.Untested = append(a.Untested, Untested{typeOf(name, outcome), fmt.Sprintf(reason, args...), label})
}

// numberWithFailure tests whether failed runs have more or less of something.
func (a *Answer) numberWithFailure(f *factor, known []*Observed) {
	runs, values := f.measured(known)
	var failed, well []float64
	for i, o := range runs {
		if o.failed() {
			failed = append(failed, values[i])
		} else {
			well = append(well, values[i])
		}
	}
	switch {
	case min(len(failed), len(well)) < MinSide || len(values) < MinRuns:
		a.leave(f.name, f.label, Failure, "known of %d failed runs and %d that ended well; %d of each are needed, and %d in all", len(failed), len(well), MinSide, MinRuns)
		return
	case slices.Min(values) == slices.Max(values):
		a.leave(f.name, f.label, Failure, "the same in all runs")
		return
	}
	effect := stats.RankEffect(failed, well)
	a.Correlations = append(a.Correlations, Correlation{Type: typeOf(f.name, Failure), Factor: f.name, Unit: f.unit, Outcome: Failure, Method: MannWhitney, label: f.label,
		N: len(values), With: groupOf(failed), Without: groupOf(well), Effect: effect, P: stats.RankTest(failed, well), Expected: f.sums && effect < 0})
}

// numberWithSlowness tests whether runs that took longer have more or less of something.
func (a *Answer) numberWithSlowness(f *factor, well []*Observed) {
	runs, values := f.measured(well)
	if len(runs) < MinRuns {
		a.leave(f.name, f.label, Slowness, "known of %d runs that ended well; %d are needed", len(runs), MinRuns)
		return
	}
	took := secondsOf(runs)
	if slices.Min(values) == slices.Max(values) || slices.Min(took) == slices.Max(took) {
		a.leave(f.name, f.label, Slowness, "the same in all runs")
		return
	}
	rho, p := stats.Spearman(values, took)
	middle := *median(took)
	var slower, faster []float64
	for i, t := range took {
		if t > middle {
			slower = append(slower, values[i])
		} else {
			faster = append(faster, values[i])
		}
	}
	a.Correlations = append(a.Correlations, Correlation{Type: typeOf(f.name, Slowness), Factor: f.name, Unit: f.unit, Outcome: Slowness, Method: Spearman, label: f.label,
		N: len(runs), With: groupOf(slower), Without: groupOf(faster), Effect: rho, P: p})
}

// wordWith tests each value of a word that enough runs have and enough have not.
func (a *Answer) wordWith(w *word, runs []*Observed, outcome Outcome) {
	has, known := map[string]map[*Observed]bool{}, []*Observed{}
	for _, o := range runs {
		values, ok := w.of(o)
		if !ok {
			continue
		}
		known = append(known, o)
		for _, v := range values {
			if has[v] == nil {
				has[v] = map[*Observed]bool{}
			}
			has[v][o] = true
		}
	}
	names := make([]string, 0, len(has))
	for v, of := range has {
		if len(of) >= MinSide && len(known)-len(of) >= MinSide && len(known) >= MinRuns {
			names = append(names, v)
		}
	}
	if len(names) == 0 {
		reason := fmt.Sprintf("no value is that of %d runs and not that of %d others", MinSide, MinSide)
		if len(known) < MinRuns {
			reason = fmt.Sprintf("known of %d runs; %d are needed", len(known), MinRuns)
		}
		a.Untested = append(a.Untested, Untested{typeOf(w.name, outcome), reason, w.label})
		return
	}
	slices.Sort(names)
	if len(names) == 2 && len(has[names[0]])+len(has[names[1]]) == len(known) && !shared(has[names[0]], has[names[1]]) {
		names = names[:1] // the other says the same
	}
	for _, v := range names {
		if outcome == Failure {
			a.wordWithFailure(w, v, has[v], known)
		} else {
			a.wordWithSlowness(w, v, has[v], known)
		}
	}
}

func shared(a, b map[*Observed]bool) bool {
	for o := range a {
		if b[o] {
			return true
		}
	}
	return false
}

func (a *Answer) wordWithFailure(w *word, value string, has map[*Observed]bool, known []*Observed) {
	var counts [2][2]int // without and with it; ended well and failed
	for _, o := range known {
		counts[index(has[o])][index(o.failed())]++
	}
	with, without := rateOf(counts[1]), rateOf(counts[0])
	if counts[0][1]+counts[1][1] == 0 || counts[0][0]+counts[1][0] == 0 {
		a.leave(w.name, w.label, Failure, "all runs ended alike")
		return
	}
	a.Correlations = append(a.Correlations, Correlation{Type: typeOf(w.name, Failure), Factor: w.name, Value: value, Outcome: Failure, Method: FisherExact, label: w.label,
		N: len(known), With: with, Without: without, Effect: *with.FailureRate - *without.FailureRate, P: stats.Fisher(counts[1][1], counts[1][0], counts[0][1], counts[0][0])})
}

func (a *Answer) wordWithSlowness(w *word, value string, has map[*Observed]bool, known []*Observed) {
	var took [2][]float64
	for _, o := range known {
		took[index(has[o])] = append(took[index(has[o])], *o.seconds())
	}
	a.Correlations = append(a.Correlations, Correlation{Type: typeOf(w.name, Slowness), Factor: w.name, Value: value, Unit: "s", Outcome: Slowness, Method: MannWhitney, label: w.label,
		N: len(known), With: groupOf(took[1]), Without: groupOf(took[0]), Effect: stats.RankEffect(took[1], took[0]), P: stats.RankTest(took[1], took[0])})
}

func index(is bool) int {
	if is {
		return 1
	}
	return 0
}

// rateOf is a group of runs, so many of which ended well and so many failed.
func rateOf(counts [2]int) Group {
	n := counts[0] + counts[1]
	rate := float64(counts[1]) / float64(n)
	return Group{N: n, FailureRate: &rate}
}

func groupOf(values []float64) Group { return Group{N: len(values), Median: median(values)} }

func secondsOf(runs []*Observed) []float64 {
	took := make([]float64, len(runs))
	for i, o := range runs {
		took[i] = *o.seconds()
	}
	return took
}

// median is that of values; nil for none.
func median(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	m := (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	return &m
}
