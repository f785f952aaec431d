package query_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// What a filter picks of a message, of the columns that it needs, is what it picks of the whole snapshot.
func TestFilter_PicksOfAMessage(t *testing.T) {
	subject := schema.Subject("alpha", schema.KindSnapshot)
	rapid.Check(t, func(t *rapid.T) {
		m := drawnSnapshot(t)
		f := drawnFilter(t)
		payload, encoding, err := schema.Encode(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := schema.DecodeOf(subject, schema.TypeMsgpack, encoding, payload)
		if err != nil {
			t.Fatal(err)
		}
		want := query.SnapshotFromMessage(whole)
		picked := f.KeepProcesses(&want)
		some, err := schema.DecodeColumns(subject, schema.TypeMsgpack, encoding, payload, f.PickedColumns())
		if err != nil {
			t.Fatal(err)
		}
		if got := f.PicksAny(some); got != picked {
			t.Fatalf("%+v: of some columns it picks the snapshot: %v, of the whole %v", f, got, picked)
		}
		if got := f.PickedFromMessage(whole); !reflect.DeepEqual(got.Processes, want.Processes) {
			t.Fatalf("%+v: got %+v\nwant %+v", f, got.Processes, want.Processes)
		}
	})
}

// The control: a filter that asks for too few columns picks other processes.
func TestFilter_PicksOfTooFewColumns(t *testing.T) {
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "alpha", BootID: "boot-1", Instance: schema.NewInstance(), Seq: 1,
		Produced: 1, Wall: 1_700_000_000_000_000_000, Boot: 1e12},
		Snapshot: &schema.Snapshot{PressureLevel: "none", Processes: schema.ProcessesOf(schema.Process{PID: 7, StartTicks: 1, State: "D", Command: "make", JobID: "build", Cgroup: "/a",
			UID: schema.Some[int64](5), Sheet: schema.Some[int64](2)})}}
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]query.Filter{"job": {Job: "build"}, "step": {Step: of64(2)}, "uid": {UID: of64(5)}, "command": {Command: "ma"}, "cgroup": {Cgroup: "/a"},
		"state": {States: []string{"D"}}} {
		for want, columns := range map[bool]schema.Columns{true: f.PickedColumns(), false: schema.ColumnsOf(metric.PPID)} {
			some, err := schema.DecodeColumns(schema.Subject("alpha", schema.KindSnapshot), schema.TypeMsgpack, encoding, payload, columns)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.PicksAny(some); got != want {
				t.Errorf("%s, of its columns %v: it picks the process: %v", name, want, got)
			}
		}
	}
}

func of64(n int64) *int64 { return &n }

// drawnSnapshot is a message with processes that filters tell apart.
func drawnSnapshot(t *rapid.T) *schema.Message {
	var procs []schema.Process
	for i := range rapid.IntRange(0, 12).Draw(t, "processes") {
		p := schema.Process{PID: 1 + 3*i, StartTicks: uint64(i), State: rapid.SampledFrom([]string{"S", "R", "D"}).Draw(t, "state"), Threads: 1,
			Command: rapid.SampledFrom([]string{"", "make -j", "cc1 a.c"}).Draw(t, "command"), JobID: rapid.SampledFrom([]string{"", "a", "ab"}).Draw(t, "job"),
			Cgroup: rapid.SampledFrom([]string{"", "/", "/a", "/a/b", "/ab"}).Draw(t, "cgroup"), RSS: schema.Some(int64(i))}
		if rapid.Bool().Draw(t, "known") {
			p.UID, p.Sheet = schema.Some(rapid.Int64Range(0, 2).Draw(t, "uid")), schema.Some(rapid.Int64Range(1, 3).Draw(t, "step"))
		}
		procs = append(procs, p)
	}
	return &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "alpha", BootID: "boot-1", Instance: schema.NewInstance(), Seq: 1,
		Produced: 1, Wall: 1_700_000_000_000_000_000, Boot: 1e12}, Snapshot: &schema.Snapshot{PressureLevel: "none", Processes: schema.ProcessesOf(procs...)}}
}

// drawnFilter is a filter of processes.
func drawnFilter(t *rapid.T) query.Filter {
	f := query.Filter{Job: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "of job"), Command: rapid.SampledFrom([]string{"", "c", "-j"}).Draw(t, "of command"),
		Cgroup: rapid.SampledFrom([]string{"", "/", "/a", "/a/"}).Draw(t, "of cgroup"), PID: rapid.SampledFrom([]int64{0, 1, 4, 5}).Draw(t, "of pid")}
	if rapid.Bool().Draw(t, "with a user") {
		f.UID = of64(rapid.Int64Range(0, 2).Draw(t, "of uid"))
	}
	if rapid.Bool().Draw(t, "with a step") {
		f.Step = of64(rapid.Int64Range(1, 3).Draw(t, "of step"))
	}
	if rapid.Bool().Draw(t, "with a state") {
		f.States = []string{rapid.SampledFrom([]string{"S", "D"}).Draw(t, "of state")}
	}
	if !f.PicksProcesses() {
		f.PID = 1
	}
	return f
}
