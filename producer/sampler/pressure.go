package sampler

import (
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// convertPressure converts what the kernel measured; nil when nothing of it is known.
func convertPressure(p *procfs.Pressure) *schema.Pressure {
	of := func(l procfs.PressureLine) schema.Opt[int64] {
		if !l.Known {
			return schema.Opt[int64]{}
		}
		return schema.Some(hundredths(l.Avg10))
	}
	out := schema.Pressure{
		CPUSome: of(p.CPU.Some), MemorySome: of(p.Memory.Some), MemoryFull: of(p.Memory.Full),
		IOSome: of(p.IO.Some), IOFull: of(p.IO.Full),
	}
	if out == (schema.Pressure{}) {
		return nil
	}
	return &out
}

// pressureLevel puts the want of memory into a word: none, low, medium, high or critical. It is the worse of what
// is left and, where the kernel measures it, the share of the last ten seconds that tasks stalled for memory.
func pressureLevel(m procfs.Memory, p *schema.Pressure) string {
	level := 0
	if m.TotalKiB > 0 && m.AvailableKnown {
		left := 100 * float64(m.AvailableKiB) / float64(m.TotalKiB)
		level = limitsReached(100-left, 85, 90, 95, 98)
	}
	if p != nil {
		level = max(level, limitsReached(float64(p.MemorySome.Or(0))/100, 1, 10, 30, 60))
	}
	return [...]string{"none", "low", "medium", "high", "critical"}[level]
}

// limitsReached counts the limits that v has reached.
func limitsReached(v float64, limits ...float64) int {
	n := 0
	for _, l := range limits {
		if v >= l {
			n++
		}
	}
	return n
}
