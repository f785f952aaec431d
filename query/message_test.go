package query_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// The keys of an NDJSON line as the contract lists them, with the JSON kind of each.
var (
	snapshotKeys = map[string]string{
		"timestamp": "number", "daemon_pid": "number", "system_memory_total_mb": "number", "system_memory_available_mb": "number",
		"system_memory_used_mb": "number", "daemon_rss_mb": "number", "load_avg_1": "number", "load_avg_5": "number", "load_avg_15": "number",
		"processes": "list", "gpus": "list", "pressure_level": "text", "running_jobs": "number", "active_sheets": "number",
		"zombie_count": "number", "zombie_pids": "list", "job_progress": "list", "conductor_uptime_seconds": "number",
	}
	processKeys = map[string]string{
		"pid": "number", "ppid": "number", "command": "text", "state": "text", "cpu_percent": "number", "rss_mb": "number", "vms_mb": "number",
		"threads": "number", "open_fds": "number", "age_seconds": "number", "job_id": "text or null", "sheet_num": "number or null",
		"syscall_counts": "object", "syscall_time_pct": "object",
	}
	gpuKeys = map[string]string{
		"index": "number", "utilization_pct": "number or null", "memory_used_mb": "number or null", "memory_total_mb": "number or null",
		"temperature_c": "number or null",
	}
	progressKeys = map[string]string{
		"job_id": "text", "total_sheets": "number or null", "last_completed_sheet": "number or null", "current_sheet": "number or null", "status": "text",
	}
	eventKeys = map[string]string{
		"timestamp": "number", "pid": "number", "event_type": "text", "exit_code": "number or null", "signal_num": "number or null",
		"job_id": "text or null", "sheet_num": "number or null", "details": "text",
	}
)

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case float64:
		return "number"
	case string:
		return "text"
	case bool:
		return "truth"
	case []any:
		return "list"
	}
	return "object"
}

func wantKeys(t *testing.T, object any, keys map[string]string) {
	t.Helper()
	values, ok := object.(map[string]any)
	if !ok {
		t.Fatalf("got %v, want an object", object)
	}
	for key, want := range keys {
		value, ok := values[key]
		got := kindOf(value)
		if !ok {
			got = "no such key"
		}
		if got != want && got+" or null" != want && !(got == "null" && len(want) > 8 && want[len(want)-8:] == " or null") {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}

// decoded is a value as a reader of its JSON sees it.
func decoded(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	messageWall = int64(1_700_000_000_123_456_789)
	messageBoot = int64(2_000_000_000_123)
)

// wholeMessage is a snapshot in which something is known of everything, and of a second process, GPU and job as
// little as can be.
func wholeMessage() *schema.Message {
	return &schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "alpha", BootID: "boot-1", Instance: schema.Instance{1},
			Seq: 1, Wall: messageWall, Boot: messageBoot},
		Snapshot: &schema.Snapshot{
			DaemonPID: 77, DaemonRSS: 12345, Uptime: 9_500_000_000, CPUs: 8, MemoryTotal: 16_384_001, MemoryAvail: 4_000_003, Load: [3]int64{123, 45, 6},
			PressureLevel: "low", Partial: true, Hidden: 6, RunningJobs: 3, ActiveSheets: 4,
			JobProgress: []schema.JobProgress{
				{JobID: "build-7", TotalSheets: schema.Some[int64](5), LastCompleted: schema.Some[int64](2), CurrentSheet: schema.Some[int64](3), Status: "running"},
				{JobID: "x"},
			},
			GPUs: []schema.GPU{
				{Index: 0, Utilization: schema.Some[int64](125), MemoryUsed: schema.Some[int64](1_048_577), MemoryTotal: schema.Some[int64](2_097_152), Temperature: schema.Some[int64](613)},
				{Index: 3},
			},
			Processes: schema.ProcessesOf(
				schema.Process{PID: 7, State: "Z", Threads: 0},
				schema.Process{PID: 42, PPID: 1, StartTicks: 5000, State: "R", CPUPermille: schema.Some[int64](853), CPUMillis: 1234, RSS: schema.Some[int64](306_689),
					VMS: schema.Some[int64](1), Threads: 7, OpenFDs: schema.Some[int64](9), Command: `sh -c "a < b & c"`, JobID: "build-7", Sheet: schema.Some[int64](3),
					Syscalls: []schema.Syscall{{Name: "write", Calls: 1 << 40, TimeX100: 1}, {Name: "futex", Calls: 0, TimeX100: 7025}}},
			),
		},
	}
}

// wholeRows inserts the rows that a message like that comes to.
func wholeRows(r *recording) {
	r.Helper()
	r.snapshot(1, float64(messageWall)/1e9, row{
		"daemon_pid": 77, "system_memory_total_mb": 16_384_001.0 / 1024, "system_memory_available_mb": 4_000_003.0 / 1024,
		"system_memory_used_mb": 12_383_998.0 / 1024, "daemon_rss_mb": 12345.0 / 1024, "child_count": 2, "zombie_count": 1, "load_avg_1": 1.23,
		"load_avg_5": 0.45, "load_avg_15": 0.06, "gpu_count": 2, "gpu_utilization_pct": "[12.5,0]", "gpu_memory_used_mb": "[1024.0009765625,0]",
		"gpu_temperature": "[61.3,0]", "boot_ns": messageBoot, "zombie_pids": "[7]",
		"gpus": `[{"index":0,"utilization_pct":12.5,"memory_used_mb":1024.0009765625,"memory_total_mb":2048,"temperature_c":61.3},` +
			`{"index":3,"utilization_pct":null,"memory_used_mb":null,"memory_total_mb":null,"temperature_c":null}]`,
		"job_progress": `[{"job_id":"build-7","total_sheets":5,"last_completed_sheet":2,"current_sheet":3,"status":"running"},` +
			`{"job_id":"x","total_sheets":null,"last_completed_sheet":null,"current_sheet":null,"status":""}]`,
	})
	r.process(1, 7, 1, row{"ppid": 0, "command": "", "start_ticks": 0})
	r.process(2, 42, 1, row{"command": `sh -c "a < b & c"`, "job_id": "build-7", "sheet_num": 3})
	r.sample(1, 1, row{"state": "Z", "cpu_permille": nil, "rss_kib": nil, "vms_kib": nil, "threads": 0, "open_fds": nil, "cpu_ms": 0,
		"syscall_counts": nil, "syscall_time_pct": nil})
	r.sample(1, 2, row{"rss_kib": 306_689, "syscall_counts": `{"write":1099511627776,"futex":0}`, "syscall_time_pct": `{"write":0.01,"futex":70.25}`})
}

func TestFromMessage_IsWhatTheDatabaseSays(t *testing.T) {
	r := newRecording(t)
	wholeRows(r)
	snaps, err := query.Snapshots(t.Context(), r.open(), query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	snaps[0].ID = 0 // the log has no row ids
	got, err := json.Marshal(query.SnapshotFromMessage(wholeMessage()))
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(snaps[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestEventsFromMessage_AreWhatTheDatabaseSays(t *testing.T) {
	m := &schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindExit, Host: "alpha", BootID: "boot-1", Instance: schema.Instance{1}, Seq: 1, Wall: messageWall, Boot: messageBoot},
		Events: []schema.Event{
			{Wall: messageWall, PID: 42, PPID: schema.Some[int64](0), StartTicks: 77, Command: "cc", JobID: "build-7", Sheet: schema.Some[int64](0), ExitCode: schema.Some[int64](0),
				Signal: schema.Some[int64](9), CPUMillis: schema.Some[int64](1251), PeakRSS: schema.Some[int64](306_689), Lifetime: schema.Some[int64](2501), Source: "taskstats", Details: "d"},
			{Wall: messageWall + 1, PID: 43, Source: "proc-diff"},
		},
	}
	r := newRecording(t)
	r.event(1, float64(messageWall)/1e9, "exit", row{"pid": 42, "ppid": 0, "start_ticks": 77, "command": "cc", "job_id": "build-7", "sheet_num": 0, "exit_code": 0,
		"signal_num": 9, "cpu_ms": 1251, "peak_rss_kib": 306_689, "lifetime_ms": 2501, "source": "taskstats", "details": "d"})
	r.event(2, float64(messageWall+1)/1e9, "exit", row{"pid": 43, "start_ticks": 0, "command": "", "details": ""})
	want, err := query.Events(t.Context(), r.open(), query.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].ID = 0
	}
	got := query.EventsFromMessage(m)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	for _, e := range got {
		wantKeys(t, decoded(t, e), eventKeys)
	}
	if none := query.EventsFromMessage(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindJob}, Jobs: []schema.JobEvent{{}}}); len(none) != 0 {
		t.Errorf("got %v from a message without events", none)
	}
}

// No key of the contract is left out, and what is absent is null, [] or {} as its kind asks.
func TestSnapshot_JSONHasTheContractsKeys(t *testing.T) {
	whole, bare := newRecording(t), newRecording(t)
	wholeRows(whole)
	bare.insert("snapshots", row{"id": 1, "timestamp": 10.0, "host_id": 1})
	bare.process(1, 7, 1, row{"ppid": nil, "command": nil})
	bare.insert("samples", row{"id": schema.SampleID(1, 7), "process_id": 1})
	bare.insert("snapshots", row{"id": 2, "timestamp": 20.0, "host_id": 1})
	read := func(r *recording, n int) query.Snapshot {
		snaps, err := query.Snapshots(t.Context(), r.open(), query.Range{})
		if err != nil || len(snaps) <= n {
			t.Fatalf("got %d snapshots, %v", len(snaps), err)
		}
		return snaps[n]
	}
	for name, s := range map[string]query.Snapshot{
		"from a message":            query.SnapshotFromMessage(wholeMessage()),
		"from an empty message":     query.SnapshotFromMessage(&schema.Message{Snapshot: &schema.Snapshot{}}),
		"from an empty process":     query.SnapshotFromMessage(&schema.Message{Snapshot: &schema.Snapshot{Processes: schema.ProcessesOf(schema.Process{}), GPUs: []schema.GPU{{}}, JobProgress: []schema.JobProgress{{}}}}),
		"from the database":         read(whole, 0),
		"with all that can be NULL": read(bare, 0),
		"without processes":         read(bare, 1),
	} {
		t.Run(name, func(t *testing.T) {
			got := decoded(t, s)
			wantKeys(t, got, snapshotKeys)
			for _, list := range []struct {
				key  string
				keys map[string]string
			}{{"processes", processKeys}, {"gpus", gpuKeys}, {"job_progress", progressKeys}} {
				items, _ := got[list.key].([]any)
				for _, item := range items {
					wantKeys(t, item, list.keys)
				}
			}
		})
	}
}

func TestHistoryPoint_JSONHasTheContractsKeys(t *testing.T) {
	r := newRecording(t)
	wholeRows(r)
	points, err := query.History(t.Context(), r.open(), 42, query.Range{})
	if err != nil || len(points) != 1 {
		t.Fatalf("got %d points, %v", len(points), err)
	}
	got := decoded(t, points[0])
	wantKeys(t, got, processKeys)
	wantKeys(t, got, map[string]string{"timestamp": "number", "host": "text", "boot_id": "text", "start_ticks": "number"})
	more := slices.Sorted(maps.Keys(got))
	if slices.Contains(more, "unknown") || slices.Contains(more, "Process") {
		t.Errorf("got keys %v", more)
	}
}
