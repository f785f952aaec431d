package web

import "slices"

// MetricNames are the names of all metrics that the server has of its own.
func MetricNames() (names []string) {
	for _, f := range slices.Concat(families, groupFamilies, []family{commitSeconds, ackSeconds}) {
		names = append(names, f.name)
		if f.kind == 0 { // a histogram
			names = append(names, f.name+"_bucket", f.name+"_sum", f.name+"_count")
		}
	}
	return names
}
