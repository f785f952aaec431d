package sampler

import (
	"math"
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// permille is the CPU that ticks in a time are, in thousandths of one core; unknown for no time.
func permille(ticks uint64, elapsed time.Duration) schema.Opt[int64] {
	if elapsed <= 0 {
		return schema.Opt[int64]{}
	}
	rate := float64(ticks) * float64(time.Second/schema.TicksPerSecond) * 1000 / float64(elapsed)
	return schema.Some(int64(math.Round(rate)))
}

// countJobs counts the jobs, and the steps of jobs, that have a process.
func countJobs(procs *schema.Processes) (jobs, sheets int) {
	type step struct {
		job   schema.JobKey
		sheet schema.Opt[int64]
	}
	seenJobs, seenSteps := map[schema.JobKey]bool{}, map[step]bool{}
	for row := range procs.Len() {
		job := schema.JobOf(procs, row)
		if job.ID == "" {
			continue
		}
		seenJobs[job] = true
		if sheet := procs.Number(metric.Sheet, row); sheet.Known {
			seenSteps[step{job, sheet}] = true
		}
	}
	return len(seenJobs), len(seenSteps)
}

// hundredths is v in hundredths, rounded.
func hundredths(v float64) int64 { return int64(math.Round(v * 100)) }

// optUint is v where it is known and an int64 can hold it.
func optUint(known bool, v uint64) schema.Opt[int64] {
	if !known || v > math.MaxInt64 {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(v))
}
