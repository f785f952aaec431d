package query

// Best is what all runs of a job used together, by the best source that is known: what the conductors of its runs told at their ends,
// where that is more than processes tell. Figures of which nothing is known are nil.
type Best struct {
	Runs       int64    `json:"runs"`              // that were declared
	CPUSeconds *float64 `json:"total_cpu_seconds"` // of all runs
	CPUSource  *string  `json:"cpu_source"`        // cgroup, wait4, exits or samples; of several, the least good
	// UserCPU is what programs used themselves, and SystemCPU what the kernel used on their behalf; both nil when they are not known apart of all runs.
	UserCPU    *float64 `json:"user_cpu_seconds"`
	SystemCPU  *float64 `json:"system_cpu_seconds"`
	PeakRSS    *float64 `json:"peak_rss_mb"` // of the largest process of all runs
	PeakSource *string  `json:"peak_source"`
	GroupPeak  *float64 `json:"group_peak_mb"` // the most that the control group of a run was charged at one time, page cache included
	Together            // of the processes of a run
}

// sourcesBestFirst are the sources of totals in the order of their worth.
var sourcesBestFirst = []string{"cgroup", "wait4", "exits", "samples"}

// BestOf is what one run used.
func BestOf(r *Run) *Best {
	b := &Best{Runs: 1}
	b.add(&r.Totals)
	b.finish(0, 0, 0)
	return b
}

// finish takes over what processes tell, where that is more: CPU seconds, MiB of the largest, and how many ended.
func (b *Best) finish(cpu, peak float64, ends int64) {
	exits := "exits"
	if ends == 0 {
		exits = "samples"
	}
	if cpu > 0 && (b.CPUSeconds == nil || cpu > *b.CPUSeconds) {
		b.CPUSeconds, b.CPUSource, b.UserCPU, b.SystemCPU = &cpu, &exits, nil, nil
	}
	if peak > 0 && (b.PeakRSS == nil || peak > *b.PeakRSS) {
		b.PeakRSS, b.PeakSource = &peak, &exits
	}
	b.Together = TogetherOf(b.GroupPeak, nil, b.PeakRSS)
}

// add adds what one run used.
func (b *Best) add(t *Totals) {
	if t.CPUSeconds != nil {
		if b.CPUSeconds == nil {
			b.UserCPU, b.SystemCPU = t.UserCPU, t.SystemCPU
		} else {
			b.UserCPU, b.SystemCPU = plusKnown(b.UserCPU, t.UserCPU), plusKnown(b.SystemCPU, t.SystemCPU)
		}
		b.CPUSeconds, b.CPUSource = plus(b.CPUSeconds, t.CPUSeconds), lessGood(b.CPUSource, t.CPUSource)
	}
	if t.PeakRSS != nil && (b.PeakRSS == nil || *t.PeakRSS > *b.PeakRSS) {
		b.PeakRSS, b.PeakSource = t.PeakRSS, t.PeakSource
	}
	if t.GroupPeak != nil && (b.GroupPeak == nil || *t.GroupPeak > *b.GroupPeak) {
		b.GroupPeak = t.GroupPeak
	}
}

// plusKnown adds; nil when either is not known.
func plusKnown(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	return plus(a, b)
}

// lessGood is the source of the two that is worth less; nil is not known yet.
func lessGood(a, b *string) *string {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	for i := range sourcesBestFirst {
		switch last := sourcesBestFirst[len(sourcesBestFirst)-1-i]; last {
		case *a:
			return a
		case *b:
			return b
		}
	}
	return a
}
