package sampler

import (
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

func TestPressureLevel(t *testing.T) {
	some := func(percent int64) *schema.Pressure { return &schema.Pressure{MemorySome: schema.Some(percent * 100)} }
	tests := map[string]struct {
		total, avail uint64
		psi          *schema.Pressure
		want         string
	}{
		"all is left":                       {1000, 1000, nil, "none"},
		"more than all is left":             {1000, 1001, nil, "none"},
		"just enough":                       {1000, 151, nil, "none"},
		"low":                               {1000, 150, nil, "low"},
		"still low":                         {1000, 101, nil, "low"},
		"medium":                            {1000, 100, nil, "medium"},
		"high":                              {1000, 50, nil, "high"},
		"still high":                        {1000, 21, nil, "high"},
		"critical":                          {1000, 20, nil, "critical"},
		"nothing is left":                   {1000, 0, nil, "critical"},
		"memory unknown":                    {0, 0, nil, "none"},
		"nobody stalls":                     {1000, 1000, some(0), "none"},
		"stalls: low":                       {1000, 1000, some(1), "low"},
		"stalls: medium":                    {1000, 1000, some(10), "medium"},
		"stalls: high":                      {1000, 1000, some(30), "high"},
		"stalls: critical":                  {1000, 1000, some(60), "critical"},
		"the worse of both: stalls":         {1000, 150, some(30), "high"},
		"the worse of both: what is left":   {1000, 20, some(1), "critical"},
		"stalls for others do not count":    {1000, 1000, &schema.Pressure{CPUSome: schema.Some[int64](9900), IOSome: schema.Some[int64](9900), IOFull: schema.Some[int64](9900)}, "none"},
		"a stall of less than one percent":  {1000, 1000, &schema.Pressure{MemorySome: schema.Some[int64](99)}, "none"},
		"stalls with memory unknown: medum": {0, 0, some(10), "medium"},
	}
	for name, tt := range tests {
		if got := pressureLevel(procfs.Memory{TotalKiB: tt.total, AvailableKiB: tt.avail, AvailableKnown: true}, tt.psi); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

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
