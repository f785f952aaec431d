package stats

import (
	"cmp"
	"slices"
)

// FalseDiscovery corrects the p of tests that are told together, as Y. Benjamini and Y. Hochberg do (J. R. Statist. Soc. B 57, 1995). Who
// takes those whose corrected value is at most 0.05 for real is wrong in at most 5 % of what he takes, on average; where nothing is real, in
// at most 5 % of all answers.
func FalseDiscovery(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[j], p[i]) })
	corrected, least := make([]float64, len(p)), 1.0
	for above, i := range order {
		least = min(least, p[i]*float64(len(p))/float64(len(p)-above))
		corrected[i] = least
	}
	return corrected
}
