package ndjson

import (
	"fmt"
	"testing"

	"github.com/proctape/proctape/schema"
)

// BenchmarkAppendSnapshot is the line of a snapshot of 200 processes.
func BenchmarkAppendSnapshot(b *testing.B) {
	m := &schema.Message{Envelope: schema.Envelope{Wall: 1_764_990_000_250_000_000, Boot: 123_456_789_012_345}, Snapshot: &schema.Snapshot{}}
	for i := range 200 {
		m.Snapshot.Processes = append(m.Snapshot.Processes, schema.Process{PID: 300 + i*11, PPID: 1, StartTicks: uint64(1000 * i), State: "S",
			CPUPermille: schema.Some(int64(i)), RSS: schema.Some(int64(18_000 + 977*i)), VMS: schema.Some(int64(200_000 + 9_767*i)), Threads: 4,
			OpenFDs: schema.Some(int64(20 + i)), Command: fmt.Sprintf("/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main --port %d", i)})
	}
	b.ReportAllocs()
	var line []byte
	for b.Loop() {
		line = AppendSnapshot(line[:0], m)
	}
}
