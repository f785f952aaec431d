package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/proctape/proctape/query/stats"
)

const (
	alpha      = 0.05
	fewForRank = 4 // runs a side that a rank test needs: of fewer than 4 and 4, chance alone is never rarer than alpha
	fewForEdge = 3 // runs that one run must be outside of
)

// values are what a side has of a figure.
type values struct {
	known   []float64
	left    int
	sources []string
}

func (v *values) spread() Spread {
	s := Spread{N: len(v.known), Left: v.left, Sources: slices.Compact(slices.Sorted(slices.Values(v.sources)))}
	if s.Sources == nil {
		s.Sources = []string{}
	}
	if s.N == 0 {
		return s
	}
	sorted := slices.Sorted(slices.Values(v.known))
	median := (sorted[(s.N-1)/2] + sorted[s.N/2]) / 2
	s.Median, s.Least, s.Most = &median, &sorted[0], &sorted[s.N-1]
	return s
}

// judgeAll judges figures that are told together. Each may be wrong by chance, so the more figures are tested, the surer each must be:
// sure says of how many p, from the least on, are to be believed, of so many that were tested.
func judgeAll(figures []Figure, runs, against []values, least float64, sure func(p []float64) int) {
	tested := []int{}
	for i := range figures {
		if measure(&figures[i], &runs[i], &against[i], least) {
			tested = append(tested, i)
		}
	}
	slices.SortFunc(tested, func(i, j int) int { return cmp.Compare(*figures[i].P, *figures[j].P) })
	p := make([]float64, len(tested))
	for place, i := range tested {
		p[place] = *figures[i].P
	}
	believed := sure(p)
	for place, i := range tested {
		f := &figures[i]
		switch {
		case f.Verdict == Same:
		case place < believed:
			f.Verdict = direction(*f.Change)
		default:
			f.Note = "within what chance does between values like these"
		}
	}
}

// holm corrects a few p so that any of them is wrong in at most alpha of all comparisons (S. Holm, Scand. J. Statist. 6, 1979).
func holm(p []float64) int {
	for place := range p {
		if p[place]*float64(len(p)-place) > alpha {
			return place
		}
	}
	return len(p)
}

// falseDiscoveries corrects many p so that of those that are believed at most a share of alpha is wrong ([stats.FalseDiscovery]). Where nothing
// differs, any is believed in at most alpha of all comparisons.
func falseDiscoveries(p []float64) (believed int) {
	for _, corrected := range stats.FalseDiscovery(p) {
		if corrected <= alpha {
			believed++
		}
	}
	return believed
}

// measure fills in a figure, and says whether the rank test is to decide on it.
func measure(f *Figure, runs, against *values, least float64) bool {
	f.Runs, f.Against, f.Verdict = runs.spread(), against.spread(), NotKnown
	if f.Runs.N == 0 || f.Against.N == 0 {
		f.Note = noValues(f)
		return false
	}
	change := *f.Runs.Median - *f.Against.Median
	f.Change = &change
	if *f.Against.Median != 0 {
		relative := change / *f.Against.Median
		f.Relative = &relative
	}
	if !slices.Equal(f.Runs.Sources, f.Against.Sources) {
		f.Verdict, f.Note = NotClear, "the sides have it from different sources"
		return false
	}
	f.Verdict = NotClear
	if math.Abs(change) < f.MinimumChange || f.Relative != nil && math.Abs(*f.Relative) < least {
		f.Verdict = Same
	}
	if min(f.Runs.N, f.Against.N) >= fewForRank {
		p := stats.RankTest(runs.known, against.known)
		f.P = &p
		return true
	}
	if f.Verdict != Same {
		judgeFew(f)
	}
	return false
}

// judgeFew judges where there are too few runs for a rank test: by whether the sides overlap.
func judgeFew(f *Figure) {
	apart := *f.Runs.Least > *f.Against.Most || *f.Runs.Most < *f.Against.Least
	switch {
	case f.Against.N < fewForEdge:
		f.Note = fmt.Sprintf("too few: the spread of %d is not known", f.Against.N)
	case !apart:
		f.Note = "within what was before"
	default:
		f.Verdict, f.Note = direction(*f.Change), fmt.Sprintf("outside of all %d before; too few for a rank test", f.Against.N)
	}
}

func noValues(f *Figure) string {
	if f.Runs.N == 0 && f.Runs.Left > 0 || f.Against.N == 0 && f.Against.Left > 0 {
		return "a side has no value that decides"
	}
	return ""
}

func direction(change float64) Verdict {
	if change > 0 {
		return More
	}
	return Less
}
