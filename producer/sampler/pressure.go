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
