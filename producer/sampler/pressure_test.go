package sampler

import (
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

func TestPressure(t *testing.T) {
	if got := convertPressure(&procfs.Pressure{}); got != nil {
		t.Errorf("nothing known: got %+v, want nil", got)
	}
	line := func(v float64) procfs.PressureLine { return procfs.PressureLine{Known: true, Avg10: v} }
	p := &procfs.Pressure{}
	p.CPU.Some, p.Memory.Some, p.Memory.Full = line(0.29), line(1.005), line(100)
	p.IO.Some = line(12.34)
	some := schema.Some[int64]
	want := schema.Pressure{CPUSome: some(29), MemorySome: some(100), MemoryFull: some(10000), IOSome: some(1234)}
	if got := convertPressure(p); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}
