package producer

import (
	"math"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// convertPressure converts what the kernel measured; nil when it does not measure.
func convertPressure(p *procfs.Pressure) *schema.Pressure {
	if p == nil {
		return nil
	}
	x100 := func(l procfs.PressureLine) int64 { return int64(math.Round(l.Avg10 * 100)) }
	return &schema.Pressure{
		CPUSome: x100(p.CPU.Some), MemorySome: x100(p.Memory.Some), MemoryFull: x100(p.Memory.Full),
		IOSome: x100(p.IO.Some), IOFull: x100(p.IO.Full),
	}
}

// pressureLevel puts the want of memory into a word: none, low, medium, high or critical. It is the worse of what
// is left and, where the kernel measures it, the share of the last ten seconds that tasks stalled for memory.
func pressureLevel(m procfs.Memory, p *schema.Pressure) string {
	level := 0
	if m.TotalKiB > 0 {
		left := 100 * float64(m.AvailableKiB) / float64(m.TotalKiB)
		level = limitsReached(100-left, 85, 90, 95, 98)
	}
	if p != nil {
		level = max(level, limitsReached(float64(p.MemorySome)/100, 1, 10, 30, 60))
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
