package estimate

import (
	"math"
	"slices"

	"github.com/proctape/proctape/query"
)

// used is what a run or a step of one used.
type used struct {
	query.Totals
	duration *float64
	bound    bool // figures from exits and samples are lower bounds
}

// kinds are the figures.
var kinds = []struct {
	name Name
	unit string
	of   func(*used) (value *float64, source *string)
}{
	{"duration", "s", func(u *used) (*float64, *string) { return u.duration, nil }},
	{"cpu", "s", func(u *used) (*float64, *string) { return u.CPUSeconds, u.CPUSource }},
	{"peak_rss", "MiB", func(u *used) (*float64, *string) { return u.PeakRSS, u.PeakSource }},
	{"group_peak", "MiB", func(u *used) (*float64, *string) { return u.GroupPeak, nil }},
}

// figuresOf are the figures of which something is known.
func figuresOf(all []used) []Figure {
	figures := []Figure{}
	for _, k := range kinds {
		var values []float64
		for i := range all {
			v, source := k.of(&all[i])
			if v != nil && !(all[i].bound && source != nil && slices.Contains([]string{"exits", "samples"}, *source)) {
				values = append(values, *v)
			}
		}
		if len(values) > 0 {
			figures = append(figures, figureOf(k.name, k.unit, values))
		}
	}
	return figures
}

func figureOf(name Name, unit string, values []float64) Figure {
	slices.Sort(values)
	n := len(values)
	sure := float64(n) / float64(n+1)
	return Figure{Name: name, Unit: unit, N: n, P50: quantile(values, 0.5), P90: quantile(values, 0.9), P95: quantile(values, 0.95), Most: &values[n-1], Sure: &sure}
}

// quantile is the value that one more value like these does not exceed with at least a chance; nil where there are too few to say. Of n values and one more each is as
// likely to be at each place, so the next one exceeds the k-th with the chance 1 - k/(n+1) at most. The values are in their order.
func quantile(values []float64, chance float64) *float64 {
	k := int(math.Ceil(chance*float64(len(values)+1) - 1e-9))
	if k > len(values) {
		return nil
	}
	return &values[k-1]
}

// surest is the largest value that a figure offers with at most a chance of 0.95, and what its chance is.
func (f *Figure) surest() (value *float64, chance float64) {
	if f.P95 != nil {
		return f.P95, 0.95
	}
	return f.Most, *f.Sure
}

// Of makes an estimate of runs with their steps. It reads nothing.
func Of(runs []query.Run) *Estimate {
	e := &Estimate{Steps: []Step{}, Context: []Context{}, Notes: []string{}}
	var whole []used
	steps := map[int64][]used{}
	for i := range runs {
		r := &runs[i]
		switch {
		case r.Signal != nil || r.ExitCode != nil && *r.ExitCode != 0:
			e.Failed++
			continue
		case r.ExitCode == nil:
			e.Other++
			continue
		}
		e.Runs++
		u := used{Totals: r.Totals, bound: r.LowerBound}
		if r.Ended != nil && !r.Inferred {
			took := *r.Ended - r.Started
			u.duration = &took
		}
		whole = append(whole, u)
		for j := range r.Steps {
			steps[r.Steps[j].Sheet] = append(steps[r.Steps[j].Sheet], ofStep(r, &r.Steps[j]))
		}
	}
	e.Figures = figuresOf(whole)
	for _, n := range sortedKeys(steps) {
		e.Steps = append(e.Steps, Step{n, figuresOf(steps[n])})
	}
	e.addSurest()
	return e
}

func ofStep(r *query.Run, s *query.RunStep) used {
	u := used{Totals: s.Totals, bound: r.LowerBound}
	if s.Started != nil && s.Ended != nil {
		took := *s.Ended - *s.Started
		u.duration = &took
	}
	return u
}

func sortedKeys(of map[int64][]used) []int64 {
	keys := make([]int64, 0, len(of))
	for n := range of {
		keys = append(keys, n)
	}
	slices.Sort(keys)
	return keys
}

// figure is the one of a name; nil when nothing of it is known.
func (e *Estimate) figure(name Name) *Figure {
	at := slices.IndexFunc(e.Figures, func(f Figure) bool { return f.Name == name })
	if at < 0 {
		return nil
	}
	return &e.Figures[at]
}

// addSurest sets the keys that older readers know.
func (e *Estimate) addSurest() {
	memory, group := e.figure("peak_rss"), e.figure("group_peak")
	if group != nil && (memory == nil || group.N >= memory.N) {
		memory = group
	}
	surest := func(f *Figure) *float64 {
		if f == nil {
			return nil
		}
		v, chance := f.surest()
		if e.Confidence == nil || chance < *e.Confidence {
			e.Confidence = &chance
		}
		return v
	}
	if e.Memory, e.CPUSeconds = surest(memory), surest(e.figure("cpu")); e.Memory != nil {
		e.MemoryOf = memory.Name
	}
}
