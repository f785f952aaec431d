package query

import (
	"cmp"
	"slices"
)

// stretch is the time from one moment to another, Unix seconds.
type stretch struct{ from, to float64 }

// joined sorts stretches and joins those that touch. What has no length is left out.
func joined(all []stretch) []stretch {
	all = slices.DeleteFunc(slices.Clone(all), func(s stretch) bool { return !(s.from < s.to) })
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// inside cuts stretches to what lies in one.
func inside(all []stretch, in stretch) []stretch {
	var out []stretch
	for _, s := range all {
		if s.from, s.to = max(s.from, in.from), min(s.to, in.to); s.from < s.to {
			out = append(out, s)
		}
	}
	return out
}

// without are joined stretches without the time of others, which are joined as well.
func without(all, holes []stretch) []stretch {
	var out []stretch
	for _, s := range all {
		for len(holes) > 0 && holes[0].to <= s.from {
			holes = holes[1:]
		}
		for _, h := range holes {
			if h.from >= s.to {
				break
			}
			if s.from < h.from {
				out = append(out, stretch{s.from, h.from})
			}
			s.from = max(s.from, h.to)
		}
		if s.from < s.to {
			out = append(out, s)
		}
	}
	return out
}

// length is how long stretches are together, in seconds.
func length(all []stretch) (seconds float64) {
	for _, s := range all {
		seconds += s.to - s.from
	}
	return seconds
}
