package web

import (
	"slices"
	"time"
)

// SetWriteTime sets how long a client may take nothing, and returns what sets it back. No server may run meanwhile.
func SetWriteTime(d time.Duration) (back func()) {
	before := writeTime
	writeTime = d
	return func() { writeTime = before }
}

// SetMaxPage sets how many bytes of items a page has, and returns what sets it back. No server may run meanwhile.
func SetMaxPage(n int) (back func()) {
	before := maxPage
	maxPage = n
	return func() { maxPage = before }
}

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
