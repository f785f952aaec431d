package retention

import (
	"cmp"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// expectedSamples is how many samples a minute has.
func expectedSamples(interval int64) int64 {
	if interval <= 0 {
		return 0
	}
	return int64(time.Minute) / interval
}

// coversOf is which snapshots there are, as few spans.
func coversOf(heads []head) []schema.Cover {
	sorted := slices.SortedFunc(slices.Values(heads), func(a, b head) int {
		return cmp.Or(slices.Compare(a.instance[:], b.instance[:]), cmp.Compare(a.seq, b.seq))
	})
	var covers []schema.Cover
	for _, h := range sorted {
		covers = appendCover(covers, schema.Cover{Instance: h.instance, First: h.seq, Last: h.seq})
	}
	return covers
}

// appendCover appends a span that begins after all that are there, or joins it to the last.
func appendCover(covers []schema.Cover, c schema.Cover) []schema.Cover {
	if n := len(covers); n > 0 && covers[n-1].Instance == c.Instance && covers[n-1].Last+1 == c.First {
		covers[n-1].Last = c.Last
		return covers
	}
	return append(covers, c)
}

// mergeRollups is the rollup of all that went into two of one minute, which have no snapshot in common. What is that of
// the last snapshot comes from a when aIsNewer is set.
func mergeRollups(a, b *schema.Rollup, aIsNewer bool) *schema.Rollup {
	if !aIsNewer {
		a, b = b, a // a is the newer from here on
	}
	u := *a
	expected := expectedSamples(min(a.Interval, b.Interval))
	u.Samples = a.Samples + b.Samples
	u.Covers = mergeCovers(a.Covers, b.Covers)
	u.DaemonRSS = max(a.DaemonRSS, b.DaemonRSS)
	u.MemoryUsed = schema.MergeSpreads(a.MemoryUsed, b.MemoryUsed, expected)
	u.Load1 = schema.MergeSpreads(a.Load1, b.Load1, expected)
	u.CPU = schema.MergeSpreads(a.CPU, b.CPU, expected)
	u.ProcessCount, u.Zombies = max(a.ProcessCount, b.ProcessCount), max(a.Zombies, b.Zombies)
	u.RunningJobs, u.ActiveSheets = max(a.RunningJobs, b.RunningJobs), max(a.ActiveSheets, b.ActiveSheets)
	u.PressureLevel = worsePressure(a.PressureLevel, b.PressureLevel)
	u.Partial = a.Partial || b.Partial
	u.GPUs = mostOfGPUs(slices.Clone(a.GPUs), b.GPUs)
	u.Processes = mergeProcesses(a.Processes, b.Processes, expected)
	return &u
}

func mergeCovers(a, b []schema.Cover) []schema.Cover {
	all := slices.SortedFunc(slices.Values(slices.Concat(a, b)), func(x, y schema.Cover) int {
		return cmp.Or(slices.Compare(x.Instance[:], y.Instance[:]), cmp.Compare(x.First, y.First))
	})
	var covers []schema.Cover
	for _, c := range all {
		covers = appendCover(covers, c)
	}
	return covers
}

// description is a process under one description.
type description struct {
	boot       string
	pid, ppid  int
	start      uint64
	uid, sheet schema.Opt[int64]
	job        schema.JobKey
	command    string
}

func describedBy(p *schema.ProcessRollup) description {
	return description{p.BootID, p.PID, p.PPID, p.StartTicks, p.UID, p.Sheet, schema.JobKey{ID: p.JobID, Fleet: p.Fleet}, p.Command}
}

func mergeProcesses(a, b []schema.ProcessRollup, expected int64) []schema.ProcessRollup {
	merged := slices.Clone(a)
	at := make(map[description]int, len(a)+len(b))
	for i := range merged {
		at[describedBy(&merged[i])] = i
	}
	for i := range b {
		k, ok := at[describedBy(&b[i])]
		if !ok {
			at[describedBy(&b[i])] = len(merged)
			merged = append(merged, b[i])
			continue
		}
		x, y := merged[k], b[i]
		if y.LastBoot > x.LastBoot {
			x, y = y, x
		}
		x.Samples += y.Samples
		for _, of := range metric.Spreads {
			*x.Spread(of) = schema.MergeSpreads(*x.Spread(of), *y.Spread(of), expected)
		}
		merged[k] = x
	}
	sortProcesses(merged)
	return merged
}

// sortProcesses brings processes into an order that their own values give, so that a rollup is the same message
// whoever makes it, and however often.
func sortProcesses(procs []schema.ProcessRollup) {
	slices.SortFunc(procs, func(a, b schema.ProcessRollup) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.StartTicks, b.StartTicks), cmp.Compare(a.BootID, b.BootID),
			cmp.Compare(a.PPID, b.PPID), cmp.Compare(a.JobID, b.JobID), compareOpt(a.Sheet, b.Sheet), compareOpt(a.UID, b.UID),
			cmp.Compare(a.Command, b.Command), compareBool(a.Fleet, b.Fleet))
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func compareOpt(a, b schema.Opt[int64]) int { return cmp.Compare(a.Or(-1), b.Or(-1)) }
