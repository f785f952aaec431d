package report

import (
	"context"

	"github.com/proctape/proctape/query"
)

// addWhole completes the report of a job that nobody declared by what the job came to, which outlives its samples.
func addWhole(ctx context.Context, db *query.DB, o *RunReport) error {
	job := query.JobFilter{Name: o.JobID, Host: o.Host}
	p, err := query.JobProfile(ctx, db, job)
	if err != nil {
		return err
	}
	best, err := query.BestTotals(ctx, db, job, p)
	if err != nil {
		return err
	}
	raise(&o.Totals, best.CPUSeconds, best.CPUSource, best.PeakRSS, best.PeakSource)
	o.Resolution, o.Spawns, o.Exits = p.Resolution, max(o.Spawns, p.Spawns), max(o.Exits, p.Exits)
	o.Cores = perSecond(o.CPUSeconds, o.Seconds)
	samples := "samples"
	for i := range o.Steps {
		s := &o.Steps[i]
		if of, ok := p.Sheets[s.Sheet]; ok {
			raise(&s.Totals, positive(of.CPUSeconds), &samples, positive(of.PeakRSS), &samples)
			s.Cores = perSecond(s.CPUSeconds, s.Seconds)
		}
	}
	return nil
}

// raise takes figures over where they are more than what is known.
func raise(t *query.Totals, cpu *float64, cpuSource *string, largest *float64, peakSource *string) {
	if cpu != nil && (t.CPUSeconds == nil || *cpu > *t.CPUSeconds) {
		t.SetCPU(cpu, cpuSource, nil)
	}
	if largest != nil && (t.PeakRSS == nil || *largest > *t.PeakRSS) {
		t.PeakRSS, t.PeakSource = largest, peakSource
	}
}

// positive is a figure, or nil: the sums of steps have no other word for what is not known.
func positive(v float64) *float64 {
	if v <= 0 {
		return nil
	}
	return &v
}

// deleted says that samples of the job have been deleted.
func (r *RunReport) deleted() string {
	switch r.Resolution {
	case "part":
		return "Samples: the older ones were deleted; these figures include them"
	case "totals":
		return "Samples: deleted; these figures include them"
	}
	return ""
}

func perSecond(v, seconds *float64) *float64 {
	if v == nil || seconds == nil || *seconds <= 0 {
		return nil
	}
	rate := *v / *seconds
	return &rate
}
