package web

// MetricNames are the names of all metrics that the server has of its own.
func MetricNames() (names []string) {
	for _, f := range families {
		names = append(names, f.name)
	}
	return names
}
