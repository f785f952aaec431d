package schema

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// example is a full message of one kind: every field says something, and every value that may be unknown is so once.
type example struct {
	name string
	m    *Message
}

// envelope is an envelope of a kind.
func envelope(kind Kind, seq uint64) Envelope {
	return Envelope{
		Version: Version, Kind: kind, Host: "build-07_b", BootID: "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
		Instance: Instance{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
		Seq:      seq, Wall: 1_795_400_123_456_789_012, Boot: 86_400_000_000_123, Produced: 70_123,
		Dropped: []Drop{{Reason: "queue-full", Count: 3}, {Reason: "too-large", Count: 1}}, Acked: 70_001,
	}
}

// exampleEnds are two lives that have ended: one in order, and one that was cut off.
func exampleEnds() []End {
	const boot = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
	return []End{
		{Instance: Instance{0xe1}, BootID: boot, Wall: 1_795_400_000_000_000_000, Boot: 86_300_000_000_000, Final: true, Produced: 905, Acked: 900,
			Dropped: []Drop{{Reason: "queue-full", Count: 5}}, Reached: []Reached{{KindSnapshot, 17_000}, {KindSpawn, 888}}},
		{Instance: Instance{0xe2}, BootID: "another boot", Wall: 1, Produced: 1, Reached: []Reached{{"of a newer producer", 1}}},
	}
}

func examples() []example {
	all := []example{
		{"snapshot", &Message{Envelope: envelope(KindSnapshot, 17_280), Snapshot: exampleSnapshot()}},
		{"gap", &Message{Envelope: envelope(KindGap, 4), Gaps: []Gap{
			{Kind: GapEventsLost, Count: Some[int64](250), FromWall: 1_795_400_100_000_000_000, ToWall: 1_795_400_101_000_000_000, Details: "ENOBUFS"},
			{Kind: "of_a_newer_producer", FromWall: 1_795_400_110_000_000_000, ToWall: 1_795_400_120_000_000_000},
		}}},
		{"job", &Message{Envelope: envelope(KindJob, 1), Jobs: []JobEvent{
			{Type: JobDeclared, Wall: 1_795_400_000_000_000_000, JobID: "nightly/2026-11-23", TotalSheets: Some[int64](12), Run: RunID{0xa1, 15: 7},
				Status: "running", PID: Some[int64](4100), StartTicks: 8_639_000, Command: "make -j8 all", Details: "by conductor", UID: Some[int64](998)},
			{Type: JobSheetStarted, Wall: 1_795_400_001_000_000_000, JobID: "nightly/2026-11-23", Sheet: Some[int64](0)},
			{Type: JobSheetEnded, Wall: 1_795_400_002_000_000_000, JobID: "nightly/2026-11-23", Sheet: Some[int64](0), ExitCode: Some[int64](0), Join: true,
				Signal: Some[int64](9), Inferred: true, Since: Some[int64](1_795_400_001_500_000_000)},
			{Type: JobProgressed, Wall: 1_795_400_003_000_000_000, JobID: "nightly/2026-11-23", LastCompleted: Some[int64](0)},
			{Type: JobEnded, Wall: 1_795_400_004_000_000_000, JobID: "nightly/2026-11-23", Status: "failed", ExitCode: Some[int64](2),
				Run: RunID{0xa1, 15: 7}, Totals: &Totals{CPUMicros: Some[int64](61_250_000), CPUSource: FromGroup, PeakRSS: Some[int64](306_688),
					PeakSource: FromWait, GroupPeak: Some[int64](812_345), ReadKiB: Some[int64](120), WriteKiB: Some[int64](0), IOSource: FromGroup,
					PIDsPeak: Some[int64](9), Processes: Some[int64](551)}},
		}}},
		{"rollup", &Message{Envelope: envelope(KindRollup, 29_923_335), Rollup: &Rollup{
			Minute: 1_795_400_100_000_000_000, Samples: 12,
			Covers:   []Cover{{Instance{0, 0x11, 0x22}, 7, 18}},
			Interval: 5_000_000_000, DaemonPID: 4242, DaemonRSS: 18_000, CPUs: 8, MemoryTotal: 16_307_128,
			MemoryUsed: Spread{12, 96_000_000, 9_000_000, 9_000_000, nil}, Load1: Spread{12, 1_800, 412, 412, nil}, Load5: 120, Load15: 80,
			CPU: Spread{12, 11_400, 3_999, 3_999, nil}, ProcessCount: 2, PressureLevel: "low", RunningJobs: 1, ActiveSheets: 1,
			GPUs: []GPU{{Index: 0, Utilization: Some[int64](995)}},
			Processes: []ProcessRollup{
				{PID: 1, BootID: "1b4e28ba-2fa1-41d2-883f-0016d3cca427", UID: Some[int64](0), Command: "/sbin/init", Samples: 12,
					RSS: Spread{12, 144_000, 12_000, 12_000, nil}, LastBoot: 86_395_000_000_000, State: "S", CPUMillis: 5120, Threads: 1},
				{PID: 4100, PPID: 1, StartTicks: 8_639_000, BootID: "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
					Command: "make -j8 all", JobID: "nightly/2026-11-23", Fleet: true, Sheet: Some[int64](3), Samples: 11,
					CPUPermille: Spread{11, 10_450, 3_999, 3_900, nil}, RSS: Spread{11, 4_400_000, 812_345, 812_345, nil},
					LastBoot: 86_390_000_000_000, State: "R", VMS: Some[int64](1_000_000), CPUMillis: 123_456, Threads: 9, OpenFDs: Some[int64](42)},
			},
		}}},
	}
	all = append(all, example{"run", &Message{Envelope: envelope(KindRun, 2), Run: exampleRecord()}})
	all = append(all, example{"anomaly", &Message{Envelope: envelope(KindAnomaly, 2), Anomaly: exampleAnomaly()}})
	all[0].m.Ended = exampleEnds()
	all = append(all, example{"exec", &Message{Envelope: envelope(KindExec, 12), Execs: []Exec{
		{Wall: 1_795_400_123_400_000_000, Boot: 86_400_000_000_100, PID: 4321, StartTicks: 8_640_000, UID: Some[int64](0),
			Command: "ld.lld -o app --threads=8", JobID: "nightly/2026-11-23", Sheet: Some[int64](3), Source: "connector", Fleet: true},
		{Wall: 1_795_400_123_400_000_001, PID: 4322, Source: "connector"},
	}}})
	for _, kind := range []Kind{KindSpawn, KindExit, KindSignal, KindKill, KindOOM} {
		all = append(all, example{kind.EventType(), &Message{Envelope: envelope(kind, 1001), Events: exampleEvents(kind)}})
	}
	return all
}

func exampleRecord() *RunRecord {
	return &RunRecord{JobID: "nightly/2026-11-23", Run: RunID{0xa1, 15: 7}, Number: 42, Started: 1_795_400_000_000_000_000,
		Ended: Some[int64](1_795_400_004_000_000_000), Since: Some[int64](1_795_400_003_500_000_000), Inferred: true, ExitCode: Some[int64](2),
		Signal: Some[int64](9), Details: "its process ended and told nothing", Status: "failed", Command: "make -j8 all",
		TotalSheets: Some[int64](12), LastCompleted: Some[int64](0), LastEvent: 1_795_400_004_000_000_000,
		Totals: &Totals{CPUMicros: Some[int64](61_250_000), CPUSource: FromWait, Processes: Some[int64](551)},
		Steps: []RunStep{
			{Sheet: 0, Started: Some[int64](1_795_400_001_000_000_000), Ended: Some[int64](1_795_400_002_000_000_000), ExitCode: Some[int64](0),
				Status: "completed", Totals: &Totals{PeakRSS: Some[int64](306_688), PeakSource: FromWait}},
			{Sheet: 1, Signal: Some[int64](9)},
		}, LowerBound: true}
}

func exampleSnapshot() *Snapshot {
	return &Snapshot{
		Interval: 5_000_000_000, Tick: 17_281, DaemonPID: 812, DaemonRSS: 18_432, Uptime: 86_400_000_000_000, CPUs: 8,
		MemoryTotal: 16_307_128, MemoryAvail: 9_120_004, Load: [3]int64{412, 205, 99},
		Pressure:      &Pressure{Some[int64](1250), Some[int64](3), Some[int64](1), Some[int64](801), Some[int64](640)},
		PressureLevel: "medium", Partial: true, Hidden: 3, Capabilities: []Capability{"connector", "taskstats"},
		RunningJobs: 1, ActiveSheets: 2,
		HostValues: HostValues{HugetlbTotal: Some[int64](262_144), HugetlbFree: Some[int64](57_344), GroupLimit: Some[int64](4_194_304), GroupUsed: Some[int64](1_000_448)},
		JobProgress: []JobProgress{
			{JobID: "nightly/2026-11-23", TotalSheets: Some[int64](12), LastCompleted: Some[int64](2), CurrentSheet: Some[int64](3), Status: "running"},
			{JobID: "adhoc", Fleet: true},
		},
		GPUs: []GPU{
			{Index: 0, Utilization: Some[int64](873), MemoryUsed: Some[int64](40_123_456), MemoryTotal: Some[int64](83_886_080), Temperature: Some[int64](641)},
			{Index: 1},
		},
		Processes: ProcessesOf([]Process{
			{PID: 1, StartTicks: 9, State: "S", CPUPermille: Some[int64](0), CPUMillis: 5120, RSS: Some[int64](12_000), VMS: Some[int64](168_000),
				Threads: 1, Command: "/sbin/init"}, // another user's: fds, uid and I/O are unknown
			{PID: 4100, PPID: 1, StartTicks: 8_639_000, State: "R", CPUPermille: Some[int64](3999), CPUMillis: 123_456,
				RSS: Some[int64](812_345), VMS: Some[int64](2_000_000), Threads: 9, OpenFDs: Some[int64](42), UID: Some[int64](1000),
				Command: "make -j8 <all> && \"größe\" \\ …", JobID: "nightly/2026-11-23", Fleet: true, Sheet: Some[int64](3),
				ReadKiB: Some[int64](70_000), WriteKiB: Some[int64](0),
				Syscalls: []Syscall{{Name: "futex", Calls: 1200, TimeX100: 5125}, {Name: "read", Calls: 9, TimeX100: 0}},
				Cgroup:   "/user.slice/proctape-nightly.scope"},
			{PID: 4_194_303, PPID: 4100, StartTicks: 8_640_001, State: "Z", CPUMillis: 0, Threads: 1,
				OpenFDs: Some[int64](0), UID: Some[int64](4_294_967_294)},
		}...),
	}
}

func exampleEvents(kind Kind) []Event {
	e := Event{Wall: 1_795_400_123_400_000_000, Boot: 86_400_000_000_100, PID: 4321, PPID: Some[int64](4100), StartTicks: 8_640_000,
		UID: Some[int64](0), Command: "cc1 -O2 main.c", JobID: "nightly/2026-11-23", Sheet: Some[int64](3), Fleet: true, Source: "taskstats", Details: "pidns"}
	switch kind {
	case KindExit:
		e.ExitCode, e.CPUMillis, e.PeakRSS = Some[int64](1), Some[int64](830), Some[int64](212_000)
		e.ReadKiB, e.WriteKiB, e.Lifetime = Some[int64](120), Some[int64](64), Some[int64](1205)
	case KindSignal:
		e.Signal, e.Core, e.Lifetime = Some[int64](11), true, Some[int64](0)
	case KindKill, KindOOM:
		e.Signal = Some[int64](9)
	}
	return []Event{e, {Wall: 1_795_400_123_400_000_001, PID: 4322, Source: "proc-diff"}} // the second knows next to nothing
}

// exampleOf is the example of a name, a copy of its own.
func exampleOf(t testing.TB, name string) *Message {
	t.Helper()
	for _, e := range examples() {
		if e.name == name {
			return e.m
		}
	}
	t.Fatalf("no example %q", name)
	return nil
}

// change returns what changes one process of a snapshot.
func change(row int, how func(p *Process)) func(*Message) {
	return func(m *Message) {
		rows := m.Snapshot.Processes.Rows()
		how(&rows[row])
		m.Snapshot.Processes = ProcessesOf(rows...)
	}
}

// hostSnapshot is a snapshot of a host with n processes, much like a build machine's.
func hostSnapshot(n int) *Message {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	m := &Message{Envelope: envelope(KindSnapshot, 100), Snapshot: exampleSnapshot()}
	words := []string{"--optimize", "--threads=8", "-I/usr/include/x86_64-linux-gnu", "src/render/scene_graph.cc", "--output", "/var/tmp/build",
		"--log-level=info", "-std=c++20", "--socket=/run/worker.sock", "NODE_ENV=production"}
	m.Snapshot.Processes = Processes{}
	for i := range n {
		var command strings.Builder
		fmt.Fprintf(&command, "/usr/lib/worker-%d/bin/worker", rnd.IntN(20))
		for limit := 60 + rnd.IntN(100); command.Len() < limit; {
			command.WriteString(" " + words[rnd.IntN(len(words))])
		}
		p := Process{PID: 100 + 7*i, PPID: 1 + rnd.IntN(100), StartTicks: rnd.Uint64N(1e8), State: "S",
			CPUPermille: Some(rnd.Int64N(1000)), CPUMillis: rnd.Uint64N(1e7), RSS: Some(rnd.Int64N(4e6)), VMS: Some(rnd.Int64N(2e7)),
			Threads: 1 + rnd.IntN(40), OpenFDs: Some(rnd.Int64N(300)), UID: Some[int64](1000), Command: command.String(),
			ReadKiB: Some(rnd.Int64N(1e6)), WriteKiB: Some(rnd.Int64N(1e6)), Cgroup: "/system.slice/build-agent.service"}
		if i%3 == 0 {
			p.JobID, p.Sheet = "nightly/2026-11-23", Some(rnd.Int64N(12))
		}
		m.Snapshot.Processes.Append(&p)
	}
	return m
}

// encoded is a message in an encoding; it must be valid.
func encoded(t testing.TB, c Codec, m *Message) []byte {
	t.Helper()
	b, err := c.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// codecs are the encodings under test, by name.
var codecs = map[string]Codec{"msgpack": Msgpack, "json": JSON}

// equal reports whether two messages say the same. A list of none may be nil or empty: JSON tells "[]" from null,
// the tables do not.
func equal(a, b *Message) bool {
	normalise(reflect.ValueOf(a))
	normalise(reflect.ValueOf(b))
	return reflect.DeepEqual(a, b)
}

// normalise makes every empty slice below v nil.
func normalise(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			normalise(v.Elem())
		}
	case reflect.Struct:
		if ps, ok := v.Addr().Interface().(*Processes); ok {
			*ps = ProcessesOf(ps.Rows()...) // a column that says the same of all has two forms
			return
		}
		for _, field := range v.Fields() {
			normalise(field)
		}
	case reflect.Slice:
		if v.Len() == 0 && !v.IsNil() {
			v.SetZero()
		}
		for i := range v.Len() {
			normalise(v.Index(i))
		}
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// exampleAnomaly is an episode that has ended.
func exampleAnomaly() *Anomaly {
	return &Anomaly{Rule: "memory_spike", Digest: "00112233aabbccdd", Severity: SeverityCritical,
		About: AnomalySubject{Kind: AboutProcess, PID: 4321, StartTicks: 8_639_000, Command: "ld.lld -o app", Cgroup: "/user.slice", JobID: "nightly/2026-11-23",
			Fleet: true, Run: RunID{0xa1, 15: 7}, Sheet: Some[int64](3)},
		Started: 1_795_400_000_000_000_000, Noticed: 1_795_400_005_000_000_000, Peaked: 1_795_400_010_000_000_000, LastSeen: 1_795_400_015_000_000_000,
		Ended: Some[int64](1_795_400_020_000_000_000), EndReason: EndRecovered, Metric: "rss_mb", First: Some[int64](299_500), Peak: Some[int64](812_345),
		Last: Some[int64](812_000), Threshold: Some[int64](299_000), Values: []AnomalyValue{{"ratio", 2716}, {"cpu_percent", 99_900}}, Samples: 4,
		Description: "ld.lld (pid 4321) grew from 199 to 812 MiB", Labels: []AnomalyLabel{{"team", "build"}}}
}
