package stats

import "math"

// Fisher is the exact test of R. A. Fisher, of two sides, for a table of counts: of those with a trait, yes and no; of those without it, yes
// and no. It is how often chance alone would give a table that is at most as likely, with the same sums.
func Fisher(withYes, withNo, withoutYes, withoutNo int) float64 {
	with, without, yes := withYes+withNo, withoutYes+withoutNo, withYes+withoutYes
	likely := func(k int) float64 { // the logarithm, but for what all tables share
		return -logFactorial(k) - logFactorial(with-k) - logFactorial(yes-k) - logFactorial(without-yes+k)
	}
	seen, most := likely(withYes), math.Inf(-1)
	first, last := max(0, yes-without), min(with, yes)
	for k := first; k <= last; k++ {
		most = max(most, likely(k))
	}
	all, rare := 0.0, 0.0
	for k := first; k <= last; k++ {
		p := math.Exp(likely(k) - most)
		if all += p; likely(k) <= seen+1e-7 {
			rare += p
		}
	}
	return min(1, rare/all)
}

func logFactorial(n int) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}
