package producer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/proctape/proctape/embedded-nats/logtest"
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
	nc := logtest.Serve(t)
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
	for _, p := range s.Processes.Rows() {
		if p.PID != c.pid() && p.GPUMemory.Known {
			t.Errorf("process %d has %d KiB of a GPU", p.PID, p.GPUMemory.V)
		}
	}
}
