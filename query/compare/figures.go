package compare

import (
	"slices"

	"github.com/proctape/proctape/query"
)

// used is what a run or a step of one used.
type used struct {
	query.Totals
	duration *float64 // seconds; nil where the start or the end was not seen
	failed   bool
	bound    bool // figures from exits and samples are lower bounds
}

// A kind is a figure that is compared: how it is called, the least change that counts, and how it is read.
type kind struct {
	name, unit string
	least      float64
	of         func(*used) (value *float64, source *string)
}

// clock and counted are where figures are from that do not say so themselves.
var clock, counted = "clock", "exits"

var kinds = []kind{
	{"duration", "s", 0.1, func(u *used) (*float64, *string) { return u.duration, &clock }},
	{"cpu", "s", 0.1, func(u *used) (*float64, *string) { return u.CPUSeconds, u.CPUSource }},
	{"peak_rss", "MiB", 4, func(u *used) (*float64, *string) { return u.PeakRSS, u.PeakSource }},
	{"read", "MiB", 4, func(u *used) (*float64, *string) { return u.Read, u.IOSource }},
	{"write", "MiB", 4, func(u *used) (*float64, *string) { return u.Write, u.IOSource }},
	{"processes", "", 2, func(u *used) (*float64, *string) {
		if u.Processes == nil {
			return nil, nil
		}
		n := float64(*u.Processes)
		return &n, &counted
	}},
}

// isBound reports whether figures of a source are lower bounds of a run whose processes were not all seen.
func isBound(source *string) bool {
	return source == nil || slices.Contains([]string{"exits", "samples"}, *source)
}

// figuresOf compares all figures of two sides. A figure that nobody knows is left out.
func figuresOf(runs, against []used, least float64) []Figure {
	figures, a, b := []Figure{}, []values{}, []values{}
	for _, k := range kinds {
		x, y := valuesOf(runs, k), valuesOf(against, k)
		if len(x.known)+x.left+len(y.known)+y.left > 0 {
			figures, a, b = append(figures, Figure{Name: k.name, Unit: k.unit, MinimumChange: k.least}), append(a, x), append(b, y)
		}
	}
	judgeAll(figures, a, b, least, holm)
	return figures
}

func valuesOf(all []used, k kind) (v values) {
	for i := range all {
		u := &all[i]
		value, source := k.of(u)
		switch {
		case value == nil:
		case u.failed, u.bound && isBound(source):
			v.left++
		default:
			v.known = append(v.known, *value)
			if source != nil {
				v.sources = append(v.sources, *source)
			}
		}
	}
	return v
}

func ofRun(r *query.Run) used {
	u := used{Totals: r.Totals, failed: failed(r.ExitCode, r.Signal), bound: r.LowerBound}
	if r.Ended != nil && !r.Inferred {
		d := *r.Ended - r.Started
		u.duration = &d
	}
	return u
}

func ofStep(r *query.Run, s *query.RunStep) used {
	u := used{Totals: s.Totals, failed: failed(s.ExitCode, s.Signal), bound: r.LowerBound}
	if s.Started != nil && s.Ended != nil {
		d := *s.Ended - *s.Started
		u.duration = &d
	}
	return u
}

func failed(code, signal *int64) bool { return signal != nil || code != nil && *code != 0 }

// stepsOf compares the steps of two sides.
func stepsOf(runs, against []query.Run, least float64) []Step {
	a, b := bySheet(runs), bySheet(against)
	sheets := map[int64]bool{}
	for n := range a {
		sheets[n] = true
	}
	for n := range b {
		sheets[n] = true
	}
	numbers := make([]int64, 0, len(sheets))
	for n := range sheets {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	steps := []Step{}
	for _, n := range numbers {
		steps = append(steps, Step{n, figuresOf(a[n], b[n], least)})
	}
	return steps
}

func bySheet(runs []query.Run) map[int64][]used {
	of := map[int64][]used{}
	for i := range runs {
		for j := range runs[i].Steps {
			s := &runs[i].Steps[j]
			of[s.Sheet] = append(of[s.Sheet], ofStep(&runs[i], s))
		}
	}
	return of
}
