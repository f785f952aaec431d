package producer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// GPUs, and the memory of each process on them, come from nvidia-smi.
func TestLive_GPUs(t *testing.T) {
	t.Parallel()
	c := startChild(t, "sleep", nil)
	smi := filepath.Join(t.TempDir(), "nvidia-smi")
	script := fmt.Sprintf(`#!/bin/sh
case "$1" in
*gpu=index*) line="0, 37, 1024, 8192, 45" ;;
*) line="GPU-a, %d, 100" ;;
esac
while echo "$line"; do sleep 1; done
`, c.pid())
	if err := os.WriteFile(smi, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	nc := serve(t)
	j := newLogReader(t, nc)
	record(t, nc, Config{NvidiaSMI: smi})
	got := j.untilSeen(c.pid(), func(p *schema.Process) bool { return p.GPUMemory.Known })
	if got.GPUMemory.V != 100<<10 {
		t.Errorf("got %d KiB, want 100 MiB", got.GPUMemory.V)
	}
	var s *schema.Snapshot
	j.until("GPU", func() bool {
		s = j.snapshots[len(j.snapshots)-1].Snapshot
		return len(s.GPUs) > 0 && s.GPUs[0].Utilization.Known
	})
	some := schema.Some[int64]
	want := schema.GPU{Utilization: some(370), MemoryUsed: some(1 << 20), MemoryTotal: some(8 << 20), Temperature: some(450)}
	if len(s.GPUs) != 1 || s.GPUs[0] != want {
		t.Errorf("got %+v, want %+v", s.GPUs, want)
	}
	for i := range s.Processes {
		if p := &s.Processes[i]; p.PID != c.pid() && p.GPUMemory.Known {
			t.Errorf("process %d has %d KiB of a GPU", p.PID, p.GPUMemory.V)
		}
	}
}

// What a process has of GPUs and of a trace stands at that process and no other.
func TestSampler_Columns(t *testing.T) {
	calls := []schema.Syscall{{Name: "read", Calls: 3, TimeX100: 5000}}
	s := Sampler{scrubber: scrub.New(scrub.Scrubbed),
		gpuMemory: func() map[int]int64 { return map[int]int64{7: 0, 99: 5} },
		syscalls: func(pid int, start uint64) ([]schema.Syscall, bool) {
			return calls, pid == 8 && start == 100
		}}
	got := s.convert([]procfs.Process{{PID: 7, StartTicks: 100, State: 'S'}, {PID: 8, StartTicks: 100, State: 'S'}})
	if got[0].GPUMemory != schema.Some(int64(0)) || got[1].GPUMemory.Known {
		t.Errorf("got %+v and %+v of a GPU, want 0 KiB and unknown", got[0].GPUMemory, got[1].GPUMemory)
	}
	if len(got[1].Syscalls) != 1 || got[1].Syscalls[0] != calls[0] {
		t.Errorf("got %+v", got[1].Syscalls)
	}
}

// How much of a process the snapshots have stays known until its exit can have been taken.
func TestSampler_Sampled(t *testing.T) {
	s := Sampler{scrubber: scrub.New(scrub.Scrubbed), began: 50 * nsPerTick, claims: Claims{keepScans: 2}}
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
