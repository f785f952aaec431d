package sampler

import (
	"testing"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// What a process has of GPUs and of a trace stands at that process and no other.
func TestSampler_Columns(t *testing.T) {
	calls := []schema.Syscall{{Name: "read", Calls: 3, TimeX100: 5000}}
	s := New(Config{Scrubber: scrub.New(scrub.Scrubbed), Claims: new(jobs.Claims),
		GPUMemory: func() map[int]int64 { return map[int]int64{7: 0, 99: 5} },
		Syscalls: func(p *procfs.Process, job string) ([]schema.Syscall, bool) {
			return calls, p.PID == 8 && p.StartTicks == 100
		}})
	converted := s.convert([]procfs.Process{{PID: 7, StartTicks: 100, State: 'S'}, {PID: 8, StartTicks: 100, State: 'S'}})
	got := converted.Rows()
	if got[0].GPUMemory != schema.Some(int64(0)) || got[1].GPUMemory.Known {
		t.Errorf("got %+v and %+v of a GPU, want 0 KiB and unknown", got[0].GPUMemory, got[1].GPUMemory)
	}
	if len(got[1].Syscalls) != 1 || got[1].Syscalls[0] != calls[0] {
		t.Errorf("got %+v", got[1].Syscalls)
	}
}

// How much of a process the snapshots have stays known until its exit can have been taken.
func TestSampler_SampledCPU(t *testing.T) {
	s := New(Config{Scrubber: scrub.New(scrub.Scrubbed), Claims: new(jobs.Claims), Began: 50 * nsPerTick, KeepSamples: 2})
	unknown, some := schema.Opt[int64]{}, schema.Some[int64]
	expect := func(what string, pid int, start uint64, want schema.Opt[int64]) {
		t.Helper()
		if got := s.SampledCPU(pid, start); got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	s.convert([]procfs.Process{{PID: 7, StartTicks: 10, CPUTicks: 3, State: 'S'}})
	s.convert([]procfs.Process{{PID: 7, StartTicks: 10, CPUTicks: 5, State: 'S'}})
	expect("lives", 7, 10, some(50))
	expect("its start is that of its fork", 7, 12, some(50))
	expect("another of the pid, of before the first sample", 7, 40, unknown)
	expect("another of the pid, of after it", 7, 60, some(0))
	expect("never sampled, of before the first sample", 8, 40, unknown)
	expect("never sampled", 8, 51, some(0))
	for range 2 {
		s.convert(nil)
		expect("gone", 7, 10, some(50))
	}
	s.convert(nil)
	expect("forgotten", 7, 10, unknown)
}
