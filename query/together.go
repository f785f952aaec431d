package query

// Together is the most memory that the processes of a run, of a step or of a job had at one time, by the best that is known of it.
// It is never less than its largest process had.
type Together struct {
	Peak *float64 `json:"peak_together_mb"` // nil when nothing is known of it
	// Source is cgroup, samples, or largest: what the largest process had at its peak, which is at least what all had then.
	Source *string `json:"together_source"`
}

// TogetherOf picks the best of what is known of memory at one time: what the control group was charged, the largest sum over a
// snapshot, and what the largest process had; each may be nil. A control group is exact in time and counts a page once, but it is
// not charged for pages that another group loaded first (memory ownership in Documentation/admin-guide/cgroup-v2.rst of Linux). Where
// it was charged less than one process had, the sum tells more, or else the process alone does.
func TogetherOf(group, samples, largest *float64) Together {
	for _, known := range []struct {
		peak   *float64
		source string
	}{{group, "cgroup"}, {samples, "samples"}, {largest, "largest"}} {
		if known.peak != nil && (largest == nil || *known.peak >= *largest) {
			return Together{known.peak, &known.source}
		}
	}
	return Together{}
}
