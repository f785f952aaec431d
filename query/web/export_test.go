package web

import "slices"

// MetricNames are the names of all metrics that the server has of its own.
func MetricNames() (names []string) {
	for _, f := range slices.Concat(families, groupFamilies, []family{commitSeconds, ackSeconds}) {
		names = append(names, f.name)
	}
	return names
}
