package ndjson

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/proctape/proctape/schema"
)

// benchSnapshot is a host with 200 processes, half of them in a job.
func benchSnapshot() *schema.Message {
	s := &schema.Snapshot{DaemonPID: 77, CPUs: 8, MemoryTotal: 64 << 20, MemoryAvail: 32 << 20, Load: [3]int64{150, 125, 100}, PressureLevel: "none"}
	for i := range 200 {
		p := schema.Process{PID: 1000 + 7*i, PPID: 1, StartTicks: 310794343, State: "S", CPUPermille: schema.Some(int64(i % 20)), Threads: 1 + i%8,
			RSS: schema.Some(int64(40_000 + 123*i)), VMS: schema.Some(int64(900_000 + 1234*i)), OpenFDs: schema.Some(int64(10 + i%50)),
			Command: fmt.Sprintf("/usr/lib/gcc/x86_64-linux-gnu/14/cc1plus -quiet -I include/%d -D \"NAME=unit %d\" src/render/scene_graph.cc", i, i)}
		if i%2 == 0 {
			p.JobID, p.Sheet = "build-7", schema.Some(int64(i%7))
		}
		s.Processes.Append(&p)
	}
	return &schema.Message{Envelope: schema.Envelope{Wall: 1_700_000_000_123_456_789, Boot: 5e15}, Snapshot: s}
}

func BenchmarkAppendSnapshot(b *testing.B) {
	m := benchSnapshot()
	line := AppendSnapshot(nil, m)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		line = AppendSnapshot(line[:0], m)
	}
}

// BenchmarkWriter writes the lines of a batch of 20 snapshots and syncs them, into files that rotate.
func BenchmarkWriter(b *testing.B) {
	m := benchSnapshot()
	w, _, err := Open(filepath.Join(b.TempDir(), "monitor.jsonl"), 0, State{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	b.SetBytes(20 * int64(len(AppendSnapshot(nil, m))))
	b.ReportAllocs()
	for b.Loop() {
		for range 20 {
			w.Append(func(line []byte) []byte { return AppendSnapshot(line, m) })
		}
		if _, err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		if !w.Full() {
			continue
		}
		if _, err := w.PrepareRotation(); err != nil {
			b.Fatal(err)
		}
		if err := w.Rotate(); err != nil {
			b.Fatal(err)
		}
	}
}
