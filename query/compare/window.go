package compare

import (
	"cmp"
	"math"
	"slices"

	"github.com/proctape/proctape/query"
)

// WindowBy is what a difference between two windows can be about: all processes, or those of a command and so on. An end is why a
// process ended: its code, or its signal.
var WindowBy = []string{"all", "command", "user", "job", "step", "host", "end"}

// Windows is what differs between a stretch of time and another of the same length.
type Windows struct {
	Window  Window `json:"window"`
	Against Window `json:"against"`
	// Slices is how many parts of equal length each window has. A figure has a value of each: they are what its test compares.
	Slices int     `json:"slices"`
	Slice  float64 `json:"slice_seconds"`
	// Differences are those that changed first, and of these what explains most of the change of the whole; then by how rare chance does it.
	Differences []Difference `json:"differences"`
	Compared    int          `json:"compared"` // how many figures were compared, also of those that are not among Differences
	MinRelative float64      `json:"min_relative"`
	Alpha       float64      `json:"alpha"`
	Notes       []string     `json:"notes"`
}

// Window is one of the two stretches.
type Window struct {
	From     float64          `json:"from_time"` // Unix seconds
	To       float64          `json:"to_time"`
	Left     int              `json:"slices_left_out"` // of which too little is known to be compared
	Coverage []query.Coverage `json:"coverage"`
}

// Difference is a figure of something in both windows.
type Difference struct {
	By    string  `json:"by"`    // one of [WindowBy]
	Key   string  `json:"key"`   // what it is about; empty for what has no job, or no known user
	Share float64 `json:"share"` // of the figure of both windows together, how much the change of this one is
	Figure
}

// A quantity is a figure of windows: how it is called, and the least change of its median that counts.
type quantity struct {
	name, unit string
	least      float64
}

// The quantities. Each is per slice: a mean over its time, or a peak.
var quantities = []quantity{
	{"cpu", "% of a core", 1}, {"memory", "MiB", 16}, {"read", "MiB/min", 4}, {"write", "MiB/min", 4}, {"starts", "/min", 1}, {"ends", "/min", 1},
}

// cell is a figure of something: its place in quantities, and what it is about.
type cell struct {
	by, key  string
	quantity int
}

// slice is what was used in a part of a window.
type slice map[cell]float64

// mostTested is how many keys of each kind are tested by each quantity: those that had most in both windows together, whichever of the
// two had it. The more are tested, the surer each must be.
const mostTested = 20

// windowsOf compares the slices of two windows. It reads nothing.
func windowsOf(now, before []slice, least float64) []Difference {
	tested := largest(now, before)
	all := make([]Difference, len(tested))
	figures, a, b := make([]Figure, len(tested)), make([]values, len(tested)), make([]values, len(tested))
	whole := map[[2]any]float64{} // by what lines are about, and by quantity
	for i, c := range tested {
		m := quantities[c.quantity]
		figures[i] = Figure{Name: m.name, Unit: m.unit, MinimumChange: m.least}
		a[i], b[i] = valuesIn(now, c), valuesIn(before, c)
		whole[[2]any{c.by, c.quantity}] += sum(a[i].known) + sum(b[i].known)
	}
	judgeAll(figures, a, b, least, falseDiscoveries)
	for i, c := range tested {
		all[i] = Difference{By: c.by, Key: c.key, Figure: figures[i]}
		if of := whole[[2]any{c.by, c.quantity}]; of > 0 {
			all[i].Share = (sum(a[i].known) - sum(b[i].known)) / of
		}
	}
	slices.SortStableFunc(all, func(x, y Difference) int {
		if x.rank() == 0 && y.rank() == 0 {
			return cmp.Compare(math.Abs(y.Share), math.Abs(x.Share))
		}
		return cmp.Or(cmp.Compare(x.rank(), y.rank()), cmp.Compare(chance(&x.Figure), chance(&y.Figure)))
	})
	return all
}

// rank puts what changed first, then what may have, then the rest.
func (d *Difference) rank() int {
	return map[Verdict]int{More: 0, Less: 0, NotClear: 1, Same: 2, NotKnown: 3}[d.Verdict]
}

// chance is a figure's p, or what is above all.
func chance(f *Figure) float64 {
	if f.P == nil {
		return 2
	}
	return *f.P
}

// largest are the cells that are tested, in a fixed order.
func largest(now, before []slice) []cell {
	totals := map[cell]float64{}
	for _, side := range [][]slice{now, before} {
		for _, s := range side {
			for c, v := range s {
				totals[c] += v
			}
		}
	}
	var all []cell
	for c := range totals {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y cell) int {
		return cmp.Or(cmp.Compare(slices.Index(WindowBy, x.by), slices.Index(WindowBy, y.by)), cmp.Compare(x.quantity, y.quantity),
			cmp.Compare(totals[y], totals[x]), cmp.Compare(x.key, y.key))
	})
	var kept []cell
	for _, group := range chunks(all, func(x, y cell) bool { return x.by == y.by && x.quantity == y.quantity }) {
		group = slices.DeleteFunc(group, func(c cell) bool { return totals[c] == 0 })
		if len(group) > 1 || len(group) == 1 && group[0].by == "all" { // one key alone is all there is
			kept = append(kept, group[:min(len(group), mostTested)]...)
		}
	}
	return kept
}

// chunks cuts a sorted list where neighbours are not alike.
func chunks[T any](list []T, alike func(x, y T) bool) (cut [][]T) {
	first := 0
	for i := range list {
		if i+1 == len(list) || !alike(list[i], list[i+1]) {
			cut, first = append(cut, list[first:i+1]), i+1
		}
	}
	return cut
}

func valuesIn(side []slice, c cell) (v values) {
	for _, s := range side {
		v.known = append(v.known, s[c])
	}
	return v
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
