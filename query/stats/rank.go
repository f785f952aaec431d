// Package stats has the few tests that answers rest on: rank tests, an exact test of counts, and the correction for many tests at once.
// Nothing in it reads anything.
package stats

import (
	"cmp"
	"math"
	"slices"
)

// exactWork is how many steps the exact rank test may take; of more values the normal distribution is as good.
const exactWork = 20_000_000

// RankTest is the rank test of Mann and Whitney, of two sides: how often chance alone would put two samples at least so far apart.
// Equal values share the mean of their ranks. It is exact up to some 60 values, and by the normal distribution, corrected for equal values, for more.
// Neither side may be empty.
func RankTest(a, b []float64) float64 {
	if n := len(a) + len(b); min(len(a), len(b))*n*n*(n+1) > exactWork {
		return normalRankTest(a, b)
	}
	if len(b) < len(a) {
		a, b = b, a
	}
	return exactRankTest(a, b)
}

// RankEffect is how far two samples lie apart: the share of pairs in which the value of a is the larger, less the share in which it is the smaller.
// It is 1 when all of a lie above all of b, and 0 when neither side is larger (the rank-biserial correlation). Neither side may be empty.
func RankEffect(a, b []float64) float64 {
	sum := 0
	for _, r := range doubledRanks(a, b)[:len(a)] {
		sum += r
	}
	n, m := float64(len(a)), float64(len(b))
	return (float64(sum) - n*(n+m+1)) / (n * m)
}

// normalRankTest is [RankTest] by the normal distribution.
func normalRankTest(a, b []float64) float64 {
	n, m := float64(len(a)), float64(len(b))
	ranks := doubledRanks(a, b)
	sum, ties, all := 0, 0.0, n+m
	for _, r := range ranks[:len(a)] {
		sum += r
	}
	slices.Sort(ranks)
	for i := 0; i < len(ranks); {
		j := i
		for j < len(ranks) && ranks[j] == ranks[i] {
			j++
		}
		k := float64(j - i)
		ties, i = ties+k*k*k-k, j
	}
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if variance <= 0 {
		return 1
	}
	distance := math.Abs(float64(sum)-n*(all+1))/2 - 0.5
	return math.Erfc(max(0, distance) / math.Sqrt(2*variance))
}

// exactRankTest counts all choices of len(a) of the values by the sum of their ranks, so it needs no table and no approximation.
// It takes the values in their order: so of the first some of them, the sums of n lie within bounds that are known, and hardly a place is visited in vain.
func exactRankTest(a, b []float64) float64 {
	ranks, sum, unit := doubledRanks(a, b), 0, 2
	for i, r := range ranks {
		if i < len(a) {
			sum += r
		}
		if r%2 != 0 {
			unit = 1 // equal values share a half rank; without one, half the sums are all there are
		}
	}
	for i := range ranks {
		ranks[i] /= unit
	}
	ways := waysToChoose(len(a), ranks)
	// The distribution has its middle at n (N + 1) / 2, doubled here.
	middle := len(a) * (len(ranks) + 1)
	distance := max(sum-middle, middle-sum)
	all, far := 0.0, 0.0
	for s, n := range ways {
		if all += n; max(s*unit-middle, middle-s*unit) >= distance {
			far += n
		}
	}
	return far / all
}

// waysToChoose counts the choices of k of the ranks by their sum. It puts the ranks in order.
func waysToChoose(k int, ranks []int) []float64 {
	slices.Sort(ranks)
	before := make([]int, len(ranks)+1) // sums of the first ranks
	for i, r := range ranks {
		before[i+1] = before[i] + r
	}
	ways := make([][]float64, k+1) // by how many values were chosen, and by the sum of their ranks
	for n := range ways {
		ways[n] = make([]float64, before[len(ranks)]-before[len(ranks)-n]+1)
	}
	ways[0][0] = 1
	for i, r := range ranks {
		for n := min(k, i+1); n > 0; n-- {
			from := ways[n-1] // still of the values before
			least := max(before[n], r)
			most := min(before[i+1]-before[i+1-n], r+len(from)-1) // the n largest
			if least > most {
				continue
			}
			to := ways[n][least : most+1]
			for s, w := range from[least-r : most-r+1] {
				to[s] += w
			}
		}
	}
	return ways[k]
}

// doubledRanks are the ranks of all values, those of a first, times two: the mean of equal ones is a whole number then.
func doubledRanks(a, b []float64) []int {
	values := slices.Concat(a, b)
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	ranks := make([]int, len(values))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			ranks[at] = i + 1 + j
		}
		i = j
	}
	return ranks
}
