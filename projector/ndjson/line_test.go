package ndjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// The lines as the standard encoder writes them. The fields' order is the contract's.
type (
	snapshotLine struct {
		Timestamp         float64             `json:"timestamp"`
		DaemonPID         int                 `json:"daemon_pid"`
		MemoryTotal       float64             `json:"system_memory_total_mb"`
		MemoryAvailable   float64             `json:"system_memory_available_mb"`
		MemoryUsed        float64             `json:"system_memory_used_mb"`
		DaemonRSS         float64             `json:"daemon_rss_mb"`
		Load1             float64             `json:"load_avg_1"`
		Load5             float64             `json:"load_avg_5"`
		Load15            float64             `json:"load_avg_15"`
		Processes         []processWithExtras `json:"processes"`
		GPUs              []gpuLine           `json:"gpus"`
		PressureLevel     string              `json:"pressure_level"`
		RunningJobs       int                 `json:"running_jobs"`
		ActiveSheets      int                 `json:"active_sheets"`
		ZombieCount       int                 `json:"zombie_count"`
		ZombiePIDs        []int               `json:"zombie_pids"`
		JobProgress       []jobLine           `json:"job_progress"`
		ConductorUptimeSs float64             `json:"conductor_uptime_seconds"`
		Host              string              `json:"host"`
	}
	processLine struct {
		PID           int      `json:"pid"`
		PPID          int      `json:"ppid"`
		Command       string   `json:"command"`
		State         string   `json:"state"`
		CPUPercent    *float64 `json:"cpu_percent"`
		RSS           *float64 `json:"rss_mb"`
		VMS           *float64 `json:"vms_mb"`
		Threads       int      `json:"threads"`
		OpenFDs       *int64   `json:"open_fds"`
		AgeSeconds    float64  `json:"age_seconds"`
		JobID         *string  `json:"job_id"`
		SheetNum      *int64   `json:"sheet_num"`
		SyscallCounts members  `json:"syscall_counts"`
		SyscallTimes  members  `json:"syscall_time_pct"`
	}
	// processWithExtras is a process's keys of the contract, and behind them what is known of those that stand beside.
	processWithExtras struct {
		processLine
		extras  []extra
		unknown []string
	}
	extra struct {
		key   string
		value float64
	}
	gpuLine struct {
		Index       int      `json:"index"`
		Utilization *float64 `json:"utilization_pct"`
		MemoryUsed  *float64 `json:"memory_used_mb"`
		MemoryTotal *float64 `json:"memory_total_mb"`
		Temperature *float64 `json:"temperature_c"`
		Unknown     []string `json:"unknown,omitempty"`
	}
	jobLine struct {
		JobID         string   `json:"job_id"`
		TotalSheets   *int64   `json:"total_sheets"`
		LastCompleted *int64   `json:"last_completed_sheet"`
		CurrentSheet  *int64   `json:"current_sheet"`
		Status        string   `json:"status"`
		Unknown       []string `json:"unknown,omitempty"`
	}
	eventLine struct {
		Timestamp float64  `json:"timestamp"`
		Host      string   `json:"host"`
		EventType string   `json:"event_type"`
		PID       int      `json:"pid"`
		PPID      *int64   `json:"ppid"`
		Command   string   `json:"command"`
		ExitCode  *int64   `json:"exit_code"`
		SignalNum *int64   `json:"signal_num"`
		Core      bool     `json:"core"`
		JobID     *string  `json:"job_id"`
		SheetNum  *int64   `json:"sheet_num"`
		CPU       *float64 `json:"cpu_seconds"`
		PeakRSS   *float64 `json:"peak_rss_mb"`
		Read      *float64 `json:"read_mb"`
		Write     *float64 `json:"write_mb"`
		Lifetime  *float64 `json:"lifetime_seconds"`
		Source    string   `json:"source"`
		Details   string   `json:"details"`
	}
	gapLine struct {
		Timestamp float64  `json:"timestamp"`
		Host      *string  `json:"host"`
		EventType string   `json:"event_type"`
		Kind      string   `json:"kind"`
		Count     *int64   `json:"count"`
		FromTime  *float64 `json:"from_time"`
		ToTime    *float64 `json:"to_time"`
		Stream    string   `json:"stream"`
		Details   string   `json:"details"`
	}
)

// members is a JSON object that keeps its members' order.
type members []member

type member struct {
	name  string
	value float64
}

func (ms members) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for i, m := range ms {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", name, value)
	}
	return []byte("{" + b.String() + "}"), nil
}

func scaled(v schema.Opt[int64], per float64) *float64 {
	if !v.Known {
		return nil
	}
	f := float64(v.V) / per
	return &f
}

// orZero puts the contract's default in the place of what is unknown, and its key into unknown.
func orZero[T any](v **T, key string, unknown *[]string) {
	if *v == nil {
		*v = new(T)
		*unknown = append(*unknown, key)
	}
}

func whole(v schema.Opt[int64]) *int64 {
	if !v.Known {
		return nil
	}
	return &v.V
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// MarshalJSON implements json.Marshaler.
func (p processWithExtras) MarshalJSON() ([]byte, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	err := enc.Encode(p.processLine)
	b := bytes.TrimSpace(plain.Bytes())
	for _, e := range p.extras {
		value, _ := json.Marshal(e.value)
		b = append(b[:len(b)-1], fmt.Sprintf(",%q:%s}", e.key, value)...)
	}
	if len(p.unknown) > 0 {
		keys, _ := json.Marshal(p.unknown)
		b = append(b[:len(b)-1], fmt.Sprintf(",%q:%s}", "unknown", keys)...)
	}
	return b, err
}

// extrasOf is what is known of a process of what a line has beside the contract's keys.
func extrasOf(procs *schema.Processes, row int) (extras []extra) {
	for _, id := range metric.Extras {
		if v := procs.Number(id, row); v.Known {
			extras = append(extras, extra{metric.Table[id].Key, float64(v.V) / float64(metric.Table[id].Unit.Per)})
		}
	}
	return extras
}

func wantSnapshot(m *schema.Message) snapshotLine {
	s := m.Snapshot
	line := snapshotLine{
		Timestamp: float64(m.Wall) / 1e9, DaemonPID: s.DaemonPID,
		MemoryTotal: float64(s.MemoryTotal) / 1024, MemoryAvailable: float64(s.MemoryAvail) / 1024,
		MemoryUsed: (float64(s.MemoryTotal) - float64(s.MemoryAvail)) / 1024, DaemonRSS: float64(s.DaemonRSS) / 1024,
		Load1: float64(s.Load[0]) / 100, Load5: float64(s.Load[1]) / 100, Load15: float64(s.Load[2]) / 100,
		Processes: []processWithExtras{}, GPUs: []gpuLine{}, PressureLevel: s.PressureLevel,
		RunningJobs: s.RunningJobs, ActiveSheets: s.ActiveSheets, ZombiePIDs: []int{}, JobProgress: []jobLine{},
		ConductorUptimeSs: float64(s.Uptime) / 1e9, Host: m.Host,
	}
	for row, p := range s.Processes.Rows() {
		counts, times := members{}, members{}
		for _, c := range p.Syscalls {
			counts = append(counts, member{c.Name, float64(c.Calls)})
			times = append(times, member{c.Name, float64(c.TimeX100) / 100})
		}
		base := processLine{PID: p.PID, PPID: p.PPID, Command: p.Command, State: p.State,
			CPUPercent: scaled(p.CPUPermille, 10), RSS: scaled(p.RSS, 1024), VMS: scaled(p.VMS, 1024), Threads: p.Threads,
			OpenFDs: whole(p.OpenFDs), AgeSeconds: float64(m.Boot-int64(p.StartTicks)*1e7) / 1e9, JobID: textOrNull(p.JobID),
			SheetNum: whole(p.Sheet), SyscallCounts: counts, SyscallTimes: times}
		var unknown []string
		orZero(&base.CPUPercent, "cpu_percent", &unknown)
		orZero(&base.RSS, "rss_mb", &unknown)
		orZero(&base.VMS, "vms_mb", &unknown)
		orZero(&base.OpenFDs, "open_fds", &unknown)
		line.Processes = append(line.Processes, processWithExtras{base, extrasOf(&s.Processes, row), unknown})
		if p.State == "Z" {
			line.ZombieCount++
			line.ZombiePIDs = append(line.ZombiePIDs, p.PID)
		}
	}
	for _, g := range s.GPUs {
		gpu := gpuLine{g.Index, scaled(g.Utilization, 10), scaled(g.MemoryUsed, 1024), scaled(g.MemoryTotal, 1024), scaled(g.Temperature, 10), nil}
		orZero(&gpu.Utilization, "utilization_pct", &gpu.Unknown)
		orZero(&gpu.MemoryUsed, "memory_used_mb", &gpu.Unknown)
		orZero(&gpu.MemoryTotal, "memory_total_mb", &gpu.Unknown)
		orZero(&gpu.Temperature, "temperature_c", &gpu.Unknown)
		line.GPUs = append(line.GPUs, gpu)
	}
	for _, j := range s.JobProgress {
		job := jobLine{j.JobID, whole(j.TotalSheets), whole(j.LastCompleted), whole(j.CurrentSheet), j.Status, nil}
		orZero(&job.TotalSheets, "total_sheets", &job.Unknown)
		orZero(&job.LastCompleted, "last_completed_sheet", &job.Unknown)
		*job.TotalSheets = max(*job.TotalSheets, 1)
		line.JobProgress = append(line.JobProgress, job)
	}
	return line
}

func wantEvent(m *schema.Message, e *schema.Event) eventLine {
	return eventLine{Timestamp: float64(e.Wall) / 1e9, Host: m.Host, EventType: m.Kind.EventType(), PID: e.PID,
		PPID: whole(e.PPID), Command: e.Command, ExitCode: whole(e.ExitCode), SignalNum: whole(e.Signal), Core: e.Core,
		JobID: textOrNull(e.JobID), SheetNum: whole(e.Sheet), CPU: scaled(e.CPUMillis, 1000), PeakRSS: scaled(e.PeakRSS, 1024),
		Read: scaled(e.ReadKiB, 1024), Write: scaled(e.WriteKiB, 1024), Lifetime: scaled(e.Lifetime, 1000),
		Source: e.Source, Details: e.Details}
}

// standard is v as the standard encoder writes it, without the escapes that only HTML asks for, and a newline.
func standard(t rapid.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Strings that both encoders write in the same way.
var plainText = rapid.StringMatching("[ -~äß€🦀\n\t]{0,20}")

func optional(t *rapid.T, limit int64) schema.Opt[int64] {
	if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
		return schema.Opt[int64]{}
	}
	return schema.Some(rapid.Int64Range(0, limit).Draw(t, "value"))
}

func drawSnapshot(t *rapid.T) *schema.Message {
	s := &schema.Snapshot{
		DaemonPID: rapid.IntRange(0, 1<<22).Draw(t, "daemon"), DaemonRSS: rapid.Uint64Max(1<<30).Draw(t, "daemon rss"),
		MemoryTotal: rapid.Uint64Max(1<<40).Draw(t, "total"), MemoryAvail: rapid.Uint64Max(1<<40).Draw(t, "available"),
		Uptime:        rapid.Int64Range(0, 1e9).Draw(t, "uptime") * 1e6,
		PressureLevel: rapid.SampledFrom([]string{"none", "critical", ""}).Draw(t, "level"),
		RunningJobs:   rapid.IntRange(0, 99).Draw(t, "jobs"), ActiveSheets: rapid.IntRange(0, 99).Draw(t, "sheets"),
	}
	for i := range s.Load {
		s.Load[i] = rapid.Int64Range(0, 99999).Draw(t, "load")
	}
	m := &schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Host: "h1",
		Wall: rapid.Int64Range(1, 4e9).Draw(t, "wall ms") * 1e6, Boot: rapid.Int64Range(0, 1e9).Draw(t, "boot ms") * 1e6}, Snapshot: s}
	for i := range rapid.IntRange(0, 4).Draw(t, "processes") {
		p := schema.Process{PID: i + 1, GPUMemory: optional(t, 1<<30), ReadKiB: optional(t, 1<<40), WriteKiB: optional(t, 1<<40),
			CPUMillis: rapid.Uint64Max(1<<40).Draw(t, "cpu"), PPID: rapid.IntRange(0, 9).Draw(t, "ppid"), StartTicks: rapid.Uint64Max(1e9).Draw(t, "start"),
			State: rapid.SampledFrom([]string{"S", "R", "Z", "D"}).Draw(t, "state"), CPUPermille: optional(t, 64000),
			RSS: optional(t, 1<<30), VMS: optional(t, 1<<40), Threads: rapid.IntRange(0, 999).Draw(t, "threads"),
			OpenFDs: optional(t, 1<<20), Command: plainText.Draw(t, "command"), JobID: plainText.Draw(t, "job"), Sheet: optional(t, 99)}
		for j := range rapid.IntRange(0, 3).Draw(t, "calls") {
			p.Syscalls = append(p.Syscalls, schema.Syscall{Name: fmt.Sprintf("call%d", j),
				Calls: rapid.Uint64Max(1<<50).Draw(t, "count"), TimeX100: rapid.Uint64Max(10000).Draw(t, "time")})
		}
		s.Processes.Append(&p)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "gpus") {
		s.GPUs = append(s.GPUs, schema.GPU{Index: i, Utilization: optional(t, 1000), MemoryUsed: optional(t, 1<<30),
			MemoryTotal: optional(t, 1<<30), Temperature: optional(t, 1200)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "progress") {
		s.JobProgress = append(s.JobProgress, schema.JobProgress{JobID: plainText.Draw(t, "job"), TotalSheets: optional(t, 99),
			LastCompleted: optional(t, 99), CurrentSheet: optional(t, 99), Status: plainText.Draw(t, "status")})
	}
	return m
}

func TestAppendSnapshot_AsStandard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawSnapshot(t)
		if got, want := string(AppendSnapshot(nil, m)), standard(t, wantSnapshot(m)); got != want {
			t.Fatalf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestAppendEvent_AsStandard(t *testing.T) {
	kinds := []schema.Kind{schema.KindSpawn, schema.KindExit, schema.KindSignal, schema.KindKill, schema.KindOOM}
	rapid.Check(t, func(t *rapid.T) {
		m := &schema.Message{Envelope: schema.Envelope{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Host: "h1"}}
		e := &schema.Event{Wall: rapid.Int64Range(1, 4e9).Draw(t, "wall ms") * 1e6, PID: rapid.IntRange(0, 1<<22).Draw(t, "pid"),
			PPID: optional(t, 99), Command: plainText.Draw(t, "command"), JobID: plainText.Draw(t, "job"), Sheet: optional(t, 99),
			ExitCode: optional(t, 255), Signal: optional(t, 64), Core: rapid.Bool().Draw(t, "core"), CPUMillis: optional(t, 1e9),
			PeakRSS: optional(t, 1<<30), ReadKiB: optional(t, 1<<40), WriteKiB: optional(t, 1<<40), Lifetime: optional(t, 1e9),
			Source: plainText.Draw(t, "source"), Details: plainText.Draw(t, "details")}
		if got, want := string(AppendEvent(nil, m, e)), standard(t, wantEvent(m, e)); got != want {
			t.Fatalf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestAppendExec_AsStandard(t *testing.T) {
	type execLine struct {
		Timestamp float64 `json:"timestamp"`
		Host      string  `json:"host"`
		EventType string  `json:"event_type"`
		PID       int     `json:"pid"`
		Command   *string `json:"command"`
		JobID     *string `json:"job_id"`
		SheetNum  *int64  `json:"sheet_num"`
		Source    string  `json:"source"`
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &schema.Message{Envelope: schema.Envelope{Kind: schema.KindExec, Host: "h1"}}
		e := &schema.Exec{Wall: rapid.Int64Range(1, 4e9).Draw(t, "wall ms") * 1e6, PID: rapid.IntRange(0, 1<<22).Draw(t, "pid"),
			Command: plainText.Draw(t, "command"), JobID: plainText.Draw(t, "job"), Sheet: optional(t, 99), Source: plainText.Draw(t, "source")}
		want := execLine{float64(e.Wall) / 1e9, "h1", "exec", e.PID, textOrNull(e.Command), textOrNull(e.JobID), whole(e.Sheet), e.Source}
		if got, want := string(AppendExec(nil, m, e)), standard(t, want); got != want {
			t.Fatalf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestAppendGap(t *testing.T) {
	number := func(v int64) *int64 { return &v }
	when := func(v float64) *float64 { return &v }
	tests := []struct {
		name string
		in   Gap
		want gapLine
	}{
		{"all known", Gap{Timestamp: 1000.5, Host: "h1", Stream: "S", Kind: schema.GapMissing, Count: schema.Some(int64(3)), FromTime: 990, ToTime: 1000, Details: "a\nb"},
			gapLine{1000.5, textOrNull("h1"), "gap", "missing", number(3), when(990), when(1000), "S", "a\nb"}},
		{"nothing known", Gap{Timestamp: 1, Stream: "S", Kind: schema.GapStreamHole},
			gapLine{1, nil, "gap", "stream_hole", nil, nil, nil, "S", ""}},
		{"a count of nought is known", Gap{Timestamp: 1, Count: schema.Some(int64(0))},
			gapLine{1, nil, "gap", "", number(0), nil, nil, "", ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, want := string(AppendGap(nil, test.in)), standard(t, test.want); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// The keys of the contract, in their order.
var (
	snapshotKeys = strings.Fields(`timestamp daemon_pid system_memory_total_mb system_memory_available_mb system_memory_used_mb
		daemon_rss_mb load_avg_1 load_avg_5 load_avg_15 processes gpus pressure_level running_jobs active_sheets zombie_count
		zombie_pids job_progress conductor_uptime_seconds`)
	processKeys = strings.Fields(`pid ppid command state cpu_percent rss_mb vms_mb threads open_fds age_seconds job_id sheet_num
		syscall_counts syscall_time_pct`)
	gpuKeys = strings.Fields(`index utilization_pct memory_used_mb memory_total_mb temperature_c`)
	jobKeys = strings.Fields(`job_id total_sheets last_completed_sheet current_sheet status`)
)

// keysOf returns the keys of a JSON object in their order, and its values.
func keysOf(t *testing.T, object []byte) ([]string, map[string]json.RawMessage) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var keys []string
	values := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatalf("parse %s: %v", object, err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("parse %s: %v", object, err)
		}
		keys = append(keys, key.(string))
		values[key.(string)] = v
	}
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(dec.Buffered()); strings.TrimSpace(string(rest)) != "" {
		t.Fatalf("%q follows the object", rest)
	}
	return keys, values
}

func checkKeys(t *testing.T, what string, object []byte, want []string) map[string]json.RawMessage {
	t.Helper()
	keys, values := keysOf(t, object)
	keys = slices.DeleteFunc(keys, besideContract)
	slices.Sort(keys)
	if want := slices.Sorted(slices.Values(want)); !slices.Equal(keys, want) {
		t.Errorf("keys of a %s: got %v, want %v", what, keys, want)
	}
	return values
}

// besideContract reports whether a key stands in a line beside those of the contract.
func besideContract(key string) bool {
	return key == "unknown" || key == "host" || slices.ContainsFunc(metric.Extras, func(id metric.ID) bool { return metric.Table[id].Key == key })
}

func elements(t *testing.T, array json.RawMessage) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(array, &list); err != nil {
		t.Fatal(err)
	}
	if list == nil {
		t.Fatalf("got %s, want an array", array)
	}
	return list
}

func TestAppendSnapshot_Keys(t *testing.T) {
	some := schema.Some[int64]
	full := &schema.Message{Envelope: schema.Envelope{Wall: 1e18, Boot: 5e12}, Snapshot: &schema.Snapshot{
		DaemonPID: 7, MemoryTotal: 2048, MemoryAvail: 1024, DaemonRSS: 512, Load: [3]int64{150, 75, 5}, PressureLevel: "high",
		JobProgress: []schema.JobProgress{{JobID: "j", TotalSheets: some(3), LastCompleted: some(1), CurrentSheet: some(2), Status: "running"}},
		GPUs:        []schema.GPU{{Index: 1, Utilization: some(505), MemoryUsed: some(1024), MemoryTotal: some(2048), Temperature: some(613)}},
		Processes: schema.ProcessesOf(schema.Process{PID: 4, State: "Z", CPUPermille: some(1005), RSS: some(512), VMS: some(1024), OpenFDs: some(5), JobID: "j",
			Sheet: some(2), Syscalls: []schema.Syscall{{Name: "read", Calls: 3, TimeX100: 1234}}}),
	}}
	tests := []struct {
		name string
		m    *schema.Message
	}{
		{"nothing in it", &schema.Message{Snapshot: &schema.Snapshot{}}},
		{"nothing known", &schema.Message{Snapshot: &schema.Snapshot{JobProgress: []schema.JobProgress{{}}, GPUs: []schema.GPU{{}},
			Processes: schema.ProcessesOf(schema.Process{PID: 1, State: "S"})}}},
		{"all known", full},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := AppendSnapshot(nil, test.m)
			if n := bytes.Count(line, []byte("\n")); n != 1 || line[len(line)-1] != '\n' {
				t.Errorf("%d newlines in %q, want one at the end", n, line)
			}
			values := checkKeys(t, "snapshot", line, snapshotKeys)
			for key, v := range values {
				if string(v) == "null" {
					t.Errorf("%s is null, and always known", key)
				}
			}
			known := test.m == full
			for _, p := range elements(t, values["processes"]) {
				checkNulls(t, checkKeys(t, "process", p, processKeys), known,
					"job_id", "sheet_num")
			}
			for _, g := range elements(t, values["gpus"]) {
				checkNulls(t, checkKeys(t, "GPU", g, gpuKeys), known)
			}
			for _, j := range elements(t, values["job_progress"]) {
				checkNulls(t, checkKeys(t, "job", j, jobKeys), known, "current_sheet")
			}
			elements(t, values["zombie_pids"])
		})
	}
}

// checkNulls checks that the optional values, and only they, are null when they are not known.
func checkNulls(t *testing.T, values map[string]json.RawMessage, known bool, optional ...string) {
	t.Helper()
	for key, v := range values {
		want := !known && slices.Contains(optional, key)
		if null := string(v) == "null"; null != want {
			t.Errorf("%s is %s; want null: %t", key, v, want)
		}
	}
	if !known {
		for _, key := range []string{"syscall_counts", "syscall_time_pct"} {
			if v, ok := values[key]; ok && string(v) != "{}" {
				t.Errorf("%s is %s, want {}", key, v)
			}
		}
	}
}

// Whatever a process calls itself, its snapshot is one line and reads back.
func TestAppendSnapshot_HostileText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "runes") {
			text = rapid.String().Draw(t, "text") + "\u2028\n\"\\"
		}
		m := &schema.Message{Snapshot: &schema.Snapshot{PressureLevel: text,
			JobProgress: []schema.JobProgress{{JobID: text, Status: text}},
			Processes: schema.ProcessesOf(schema.Process{PID: 1, State: "S", Command: text, JobID: text,
				Syscalls: []schema.Syscall{{Name: text, Calls: 1}}})}}
		line := AppendSnapshot(nil, m)
		if n := bytes.Count(line, []byte("\n")); n != 1 {
			t.Fatalf("%d newlines in %q, want 1", n, line)
		}
		var got struct {
			PressureLevel string `json:"pressure_level"`
			Processes     []struct {
				Command string           `json:"command"`
				Job     *string          `json:"job_id"`
				Counts  map[string]int64 `json:"syscall_counts"`
			} `json:"processes"`
			Progress []struct {
				Job string `json:"job_id"`
			} `json:"job_progress"`
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("parse %q: %v", line, err)
		}
		want := string([]rune(text)) // U+FFFD for each byte that is not UTF-8
		p := got.Processes[0]
		for what, s := range map[string]string{"level": got.PressureLevel, "command": p.Command, "progress": got.Progress[0].Job} {
			if s != want {
				t.Errorf("%s: got %q, want %q", what, s, want)
			}
		}
		if job := p.Job; (job == nil) != (text == "") || job != nil && *job != want {
			t.Errorf("job: got %v, want %q", job, want)
		}
		if p.Counts[want] != 1 {
			t.Errorf("system calls: got %v, want %q", p.Counts, want)
		}
	})
}

func TestAppendPressure(t *testing.T) {
	got := string(AppendPressure(nil, &schema.Pressure{CPUSome: schema.Some[int64](1234), MemorySome: schema.Some[int64](100), IOSome: schema.Some[int64](0), IOFull: schema.Some[int64](10000)}))
	want := `{"cpu_some":12.34,"memory_some":1,"memory_full":null,"io_some":0,"io_full":100}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
