package schema

import (
	"cmp"
	"slices"
)

// Spread is the distribution of a value over a minute. Spreads of parts of a minute merge into exactly the spread of the
// whole.
type Spread struct {
	Samples int64   `json:"samples"`       // known values in it; when it is 0, the other fields mean nothing
	Sum     int64   `json:"sum"`           // of the values; it stops at [MaxSum], and below 0 at its negative
	Max     int64   `json:"max"`           // largest value
	P95     int64   `json:"p95"`           // the value that 95 % of the samples do not exceed, by nearest rank
	Top     []int64 `json:"top,omitempty"` // the second largest, the third, and so on: as many as P95 can need
}

// Mean returns the mean of the samples, rounded, or 0 when there are none.
func (s *Spread) Mean() int64 {
	if s.Samples == 0 {
		return 0
	}
	return (2*s.Sum + s.Samples) / (2 * s.Samples)
}

// SpreadOf returns the spread of some values of a minute that has about expected samples. It sorts the values.
func SpreadOf(values []int64, expected int64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.SortFunc(values, func(a, b int64) int { return cmp.Compare(b, a) })
	s := Spread{Samples: int64(len(values))}
	for _, v := range values {
		s.Sum = addWithin(s.Sum, v)
	}
	s.setTop(values, expected)
	return s
}

// MergeSpreads returns the spread of all values of both.
func MergeSpreads(a, b Spread, expected int64) Spread {
	if a.Samples == 0 || b.Samples == 0 {
		if a.Samples == 0 {
			return b
		}
		return a
	}
	top := slices.Concat([]int64{a.Max}, a.Top, []int64{b.Max}, b.Top)
	slices.SortFunc(top, func(a, b int64) int { return cmp.Compare(b, a) })
	s := Spread{Samples: a.Samples + b.Samples, Sum: addWithin(a.Sum, b.Sum)}
	s.setTop(top, expected)
	return s
}

// setTop keeps those of the largest values, sorted downward, that P95 can need when the minute is whole.
func (s *Spread) setTop(largest []int64, expected int64) {
	rank := func(n int64) int { return int(min(n/20, int64(len(largest)-1), MaxTop)) } // from the largest, which is 0
	s.Max, s.P95 = largest[0], largest[rank(s.Samples)]
	if last := rank(max(s.Samples, expected)); last > 0 {
		s.Top = slices.Clone(largest[1 : last+1])
	}
}

// MaxTop is the most values that a spread keeps beside the largest: enough for ten samples a second.
const MaxTop = 32
