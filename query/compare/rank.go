package compare

import (
	"cmp"
	"slices"
)

// rankTest is the exact rank test of Mann and Whitney, of two sides: how often chance alone would put two samples at least so far apart.
// Equal values share the mean of their ranks. It counts all choices of len(a) of the values by the sum of their ranks, so it needs
// no table and no approximation; time grows with the cube of the number of values, at most [MostRuns] a side.
func rankTest(a, b []float64) float64 {
	ranks := doubledRanks(a, b)
	sum, most := 0, 0
	for i, r := range ranks {
		if most += r; i < len(a) {
			sum += r
		}
	}
	ways := make([][]float64, len(a)+1) // by how many values were chosen, and by the sum of their ranks
	for i := range ways {
		ways[i] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for _, r := range ranks {
		for n := len(a); n > 0; n-- {
			for s := most; s >= r; s-- {
				ways[n][s] += ways[n-1][s-r]
			}
		}
	}
	// The distribution has its middle at n (N + 1) / 2, doubled here.
	middle := len(a) * (len(ranks) + 1)
	distance := max(sum-middle, middle-sum)
	all, far := 0.0, 0.0
	for s, n := range ways[len(a)] {
		if all += n; max(s-middle, middle-s) >= distance {
			far += n
		}
	}
	return far / all
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
