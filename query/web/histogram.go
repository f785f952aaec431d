package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/schema/durations"
)

// The metrics of how long things took.
var (
	commitSeconds = histogram("commit_duration_seconds", "How long each commit of the database took, with the files that go with it.")
	ackSeconds    = histogram("publish_ack_seconds", "How long the log took to acknowledge a message of the recorder's sampler.")
)

func histogram(name, help string) family {
	return family{name: "proctape_" + name, desc: prometheus.NewDesc("proctape_"+name, help, nil, nil)}
}

// histograms are those that the status has.
func histograms(s *health.Status) []prometheus.Metric {
	of := map[*family]*durations.Histogram{&commitSeconds: s.Commits}
	if s.Sampler != nil {
		of[&ackSeconds] = s.Sampler.Acks
	}
	var all []prometheus.Metric
	for f, h := range of {
		if h == nil || len(h.Buckets) != len(durations.Bounds)+1 { // another version's
			continue
		}
		upTo, n := map[float64]uint64{}, uint64(0)
		for i, bound := range durations.Bounds {
			n += h.Buckets[i]
			upTo[bound] = n
		}
		all = append(all, prometheus.MustNewConstHistogram(f.desc, h.Count(), h.Sum, upTo))
	}
	return all
}
