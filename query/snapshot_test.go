package query_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

func snapshotID(s query.Snapshot) int64 { return s.ID }

func TestDB_Snapshots_Range(t *testing.T) {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	// By time: 1, 5 (it came late), 2, 3 and 4 at one moment, 6, 7.
	for _, s := range []struct {
		id   int64
		at   float64
		host int64
	}{{1, 10, 1}, {2, 20, 1}, {3, 30, 2}, {4, 30, 1}, {5, 15, 1}, {6, 40.5, 2}, {7, 50, 1}} {
		r.snapshot(s.id, s.at, row{"host_id": s.host})
	}
	db := r.open()
	for _, c := range []struct {
		name string
		r    query.Range
		want []int64
	}{
		{"everything", query.Range{}, []int64{1, 5, 2, 3, 4, 6, 7}},
		{"since is inclusive", query.Range{Since: 30}, []int64{3, 4, 6, 7}},
		{"until is exclusive", query.Range{Until: 30}, []int64{1, 5, 2}},
		{"between", query.Range{Since: 15, Until: 40.5}, []int64{5, 2, 3, 4}},
		{"a limit keeps the first", query.Range{Limit: 3}, []int64{1, 5, 2}},
		{"a limit counts from since", query.Range{Since: 15, Limit: 3}, []int64{5, 2, 3}},
		{"the newest, still ascending", query.Range{Limit: 3, Newest: true}, []int64{4, 6, 7}},
		{"the newest before a time", query.Range{Until: 40, Limit: 2, Newest: true}, []int64{3, 4}},
		{"the newest without a limit", query.Range{Newest: true}, []int64{1, 5, 2, 3, 4, 6, 7}},
		{"a limit through equal times", query.Range{Since: 30, Limit: 1}, []int64{3}},
		{"a limit beyond all", query.Range{Limit: 100}, []int64{1, 5, 2, 3, 4, 6, 7}},
		{"of a host", query.Range{Host: "beta"}, []int64{3, 6}},
		{"the newest of a host", query.Range{Host: "alpha", Limit: 2, Newest: true}, []int64{4, 7}},
		{"of nobody", query.Range{Host: "gamma"}, []int64{}},
		{"a host that looks like SQL", query.Range{Host: "alpha' OR '1'='1"}, []int64{}},
		{"after everything", query.Range{Since: 51}, []int64{}},
		{"an empty span", query.Range{Since: 30, Until: 30}, []int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			snaps, err := query.Snapshots(t.Context(), db, c.r)
			if err != nil {
				t.Fatal(err)
			}
			if snaps == nil {
				t.Error("got nil, want an empty list")
			}
			if got := ids(snaps, snapshotID); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			heads, err := query.SnapshotHeads(t.Context(), db, c.r)
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(heads, snapshotID); !slices.Equal(got, c.want) {
				t.Errorf("heads: got %v, want %v", got, c.want)
			}
		})
	}
}

func TestDB_Snapshots_Values(t *testing.T) {
	r := newRecording(t)
	r.snapshot(9, 1700000000.25, row{
		"gpu_count": 2, "gpu_utilization_pct": "[12.5,0]", "gpu_memory_used_mb": "[1024,0]", "gpu_temperature": "[61,0]",
		"gpus": `[{"index":0,"utilization_pct":12.5,"memory_used_mb":1024,"memory_total_mb":2048.5,"temperature_c":61},
			{"index":3,"utilization_pct":null,"memory_used_mb":null,"memory_total_mb":null,"temperature_c":null}]`,
		"zombie_pids":  "[31,32]",
		"job_progress": `[{"job_id":"build-7","total_sheets":5,"last_completed_sheet":2,"current_sheet":3,"status":"running"},{"job_id":"x","total_sheets":null,"last_completed_sheet":null,"current_sheet":null,"status":""}]`,
	})
	snaps, err := query.Snapshots(t.Context(), r.open(), query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	want := query.Snapshot{
		ID: 9, Timestamp: 1700000000.25, Host: "alpha", DaemonPID: 77, MemTotal: 2048, MemAvail: 512.5, MemUsed: 1535.5, DaemonRSS: 12.25,
		Load1: 0.5, Load5: 0.25, Load15: 0.125, Processes: []query.Process{},
		GPUs: []query.GPU{
			{Index: 0, Utilization: pointer(12.5), MemoryUsed: pointer(1024.0), MemoryTotal: pointer(2048.5), Temperature: pointer(61.0)},
			{Index: 3},
		},
		PressureLevel: "low", RunningJobs: 3, ActiveSheets: 4, Zombies: 1, ZombiePIDs: []int64{31, 32},
		JobProgress: []query.JobProgress{
			{JobID: "build-7", TotalSheets: pointer[int64](5), LastCompleted: pointer[int64](2), CurrentSheet: pointer[int64](3), Status: "running"},
			{JobID: "x"},
		},
		Uptime: 9.5, CPUs: 8, Partial: true, Hidden: 6,
	}
	if got := snaps[0].Public(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// Every column that may be NULL reads as the contract's default when it is, and no other value changes.
func TestDB_Snapshots_Defaults(t *testing.T) {
	r := newRecording(t)
	r.snapshot(1, 10, nil)
	db, id := r.open(), int64(1)
	for column, change := range map[string]func(*query.Snapshot){
		"daemon_pid":                 func(s *query.Snapshot) { s.DaemonPID = 0 },
		"system_memory_total_mb":     func(s *query.Snapshot) { s.MemTotal = 0 },
		"system_memory_available_mb": func(s *query.Snapshot) { s.MemAvail = 0 },
		"system_memory_used_mb":      func(s *query.Snapshot) { s.MemUsed = 0 },
		"daemon_rss_mb":              func(s *query.Snapshot) { s.DaemonRSS = 0 },
		"child_count":                func(*query.Snapshot) {},
		"zombie_count":               func(s *query.Snapshot) { s.Zombies = 0 },
		"load_avg_1":                 func(s *query.Snapshot) { s.Load1 = 0 },
		"load_avg_5":                 func(s *query.Snapshot) { s.Load5 = 0 },
		"load_avg_15":                func(s *query.Snapshot) { s.Load15 = 0 },
		"gpu_count":                  func(*query.Snapshot) {},
		"gpu_utilization_pct":        func(*query.Snapshot) {},
		"gpu_memory_used_mb":         func(*query.Snapshot) {},
		"gpu_temperature":            func(*query.Snapshot) {},
		"pressure_level":             func(s *query.Snapshot) { s.PressureLevel = "none" },
		"running_jobs":               func(s *query.Snapshot) { s.RunningJobs = 0 },
		"active_sheets":              func(s *query.Snapshot) { s.ActiveSheets = 0 },
		"cpus":                       func(s *query.Snapshot) { s.CPUs = 0 },
		"conductor_uptime_seconds":   func(s *query.Snapshot) { s.Uptime = 0 },
	} {
		t.Run(column, func(t *testing.T) {
			id++
			r.snapshot(id, 10, row{column: nil})
			snaps, err := query.Snapshots(t.Context(), db, query.Range{})
			if err != nil {
				t.Fatal(err)
			}
			want, got := snaps[0], snaps[len(snaps)-1]
			want.ID = id
			change(&want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v, want\n%+v", got, want)
			}
		})
	}
}

// wholeProcess is what process(1, 42, …) and sample(…, 1) come to, with a job.
func wholeProcess() query.Process {
	return query.Process{
		PID: 42, PPID: 1, Command: "sleep 1",
		Measured: query.Measured{State: "R", CPUPercent: 85.3, RSS: 299.5, VMS: 1.0 / 1024, Threads: 7, OpenFDs: 9, CPUSeconds: 1.234},
		Age:      boot - 50, JobID: pointer("build-7"), Sheet: pointer[int64](3), SyscallCounts: []byte(`{"read":2}`), SyscallTimes: []byte(`{"read":1.5}`),
		StartTicks: 5000,
	}
}

func TestDB_Snapshots_Processes(t *testing.T) {
	r := newRecording(t)
	// Rows in another order than pids.
	r.process(1, 42, 1, row{"job_id": "build-7", "sheet_num": 3})
	r.process(2, 7, 1, row{"start_ticks": 0})
	r.process(3, 100, 1, row{"command": "gone", "last_snapshot": 1})
	r.snapshot(1, 10, nil)
	r.snapshot(2, 20, row{"boot_ns": int64(boot*1e9 + 1)})
	r.snapshot(3, 30, nil)
	for _, s := range [][2]int64{{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}} {
		r.sample(s[0], s[1], nil)
	}
	snaps, err := query.Snapshots(t.Context(), r.open(), query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]int64{{7, 42, 100}, {7, 42}, {}} {
		if got := ids(snaps[i].Processes, func(p query.Process) int64 { return p.PID }); !slices.Equal(got, want) {
			t.Errorf("snapshot %d: got pids %v, want %v", i, got, want)
		}
	}
	if got, want := snaps[0].Processes[1], wholeProcess(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if got := snaps[0].Processes[0]; got.JobID != nil || got.Sheet != nil || got.Age != boot {
		t.Errorf("got %+v, want no job and an age of %d", got, boot)
	}
	if got, want := snaps[1].Processes[1].Age, boot-50+1e-9; got != want {
		t.Errorf("got age %v, want %v", got, want)
	}
}

// Every column that may be NULL reads as the contract's default, and those that were not measured are said to be unknown.
func TestDB_Snapshots_ProcessDefaults(t *testing.T) {
	r := newRecording(t)
	db, id := r.open(), int64(0)
	for _, c := range []struct {
		name            string
		process, sample row
		change          func(*query.Process)
	}{
		{"nothing", nil, nil, func(*query.Process) {}},
		{"ppid", row{"ppid": nil}, nil, func(p *query.Process) { p.PPID = 0 }},
		{"command", row{"command": nil}, nil, func(p *query.Process) { p.Command = "" }},
		{"job_id", row{"job_id": nil}, nil, func(p *query.Process) { p.JobID = nil }},
		{"sheet_num", row{"sheet_num": nil}, nil, func(p *query.Process) { p.Sheet = nil }},
		{"state", nil, row{"state": nil}, func(p *query.Process) { p.State = "S" }},
		{"cpu_permille", nil, row{"cpu_permille": nil}, func(p *query.Process) { p.CPUPercent, p.Unknown = 0, []string{"cpu_percent"} }},
		{"rss_kib", nil, row{"rss_kib": nil}, func(p *query.Process) { p.RSS, p.Unknown = 0, []string{"rss_mb"} }},
		{"vms_kib", nil, row{"vms_kib": nil}, func(p *query.Process) { p.VMS, p.Unknown = 0, []string{"vms_mb"} }},
		{"threads", nil, row{"threads": nil}, func(p *query.Process) { p.Threads, p.Unknown = 1, []string{"threads"} }},
		{"open_fds", nil, row{"open_fds": nil}, func(p *query.Process) { p.OpenFDs, p.Unknown = 0, []string{"open_fds"} }},
		{"cpu_ms", nil, row{"cpu_ms": nil}, func(p *query.Process) { p.CPUSeconds = 0 }},
		{"syscall_counts", nil, row{"syscall_counts": nil}, func(p *query.Process) { p.SyscallCounts = []byte("{}") }},
		{"syscall_time_pct", nil, row{"syscall_time_pct": nil}, func(p *query.Process) { p.SyscallTimes = []byte("{}") }},
		{"zeros are known", nil, row{"cpu_permille": 0, "rss_kib": 0, "vms_kib": 0, "open_fds": 0, "threads": 0},
			func(p *query.Process) { p.CPUPercent, p.RSS, p.VMS, p.OpenFDs, p.Threads = 0, 0, 0, 0, 0 }},
		{"all of a sample", nil, row{"state": nil, "cpu_permille": nil, "rss_kib": nil, "vms_kib": nil, "threads": nil, "open_fds": nil, "cpu_ms": nil,
			"syscall_counts": nil, "syscall_time_pct": nil}, func(p *query.Process) {
			p.State, p.CPUPercent, p.RSS, p.VMS, p.Threads, p.OpenFDs, p.CPUSeconds = "S", 0, 0, 0, 1, 0, 0
			p.SyscallCounts, p.SyscallTimes = []byte("{}"), []byte("{}")
			p.Unknown = []string{"threads", "vms_mb", "rss_mb", "open_fds", "cpu_percent"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id++
			r.process(id, 100+id, id, row{"job_id": "build-7", "sheet_num": 3}.with(c.process))
			r.snapshot(id, float64(id), nil)
			r.sample(id, id, c.sample)
			snaps, err := query.Snapshots(t.Context(), db, query.Range{Since: float64(id)})
			if err != nil {
				t.Fatal(err)
			}
			want := wholeProcess()
			want.PID = 100 + id
			c.change(&want)
			if got := snaps[0].Processes; len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("got\n%+v, want\n%+v", got, want)
			}
			points, err := query.History(t.Context(), db, 100+id, query.Range{})
			if err != nil {
				t.Fatal(err)
			}
			if len(points) != 1 || !reflect.DeepEqual(points[0].Process, want) {
				t.Errorf("history: got\n%+v, want\n%+v", points, want)
			}
		})
	}
}

// What is known of one sample of a process does not reach into the next.
func TestDB_Snapshots_UnknownOnce(t *testing.T) {
	r := newRecording(t)
	r.process(1, 42, 1, nil)
	for id := range int64(3) {
		r.snapshot(id+1, float64(id), nil)
		r.sample(id+1, 1, nil)
	}
	r.exec(`UPDATE samples SET open_fds = NULL, rss_kib = NULL, state = NULL WHERE id >> 22 = 2`)
	db := r.open()
	points, err := query.History(t.Context(), db, 42, query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	snaps, err := query.Snapshots(t.Context(), db, query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"R [] 9", "S [rss_mb open_fds] 0", "R [] 9"}
	say := func(p query.Process) string { return fmt.Sprint(p.State, " ", p.Unknown, " ", p.OpenFDs) }
	if got := ids(points, func(m query.HistoryPoint) string { return say(m.Process) }); !slices.Equal(got, want) {
		t.Errorf("history: got %q, want %q", got, want)
	}
	if got := ids(snaps, func(s query.Snapshot) string { return say(s.Processes[0]) }); !slices.Equal(got, want) {
		t.Errorf("snapshots: got %q, want %q", got, want)
	}
}

// More snapshots and processes than are read at once.
func TestDB_Snapshots_Many(t *testing.T) {
	r := newRecording(t)
	const snapshots, processes = 230, 1100
	r.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) INSERT INTO processes(id, host_id, boot_id, pid,
		start_ticks, first_snapshot, last_snapshot, cpu_ms) SELECT i, 1, 'b', 5000 - i, 1, 1, 9, 0 FROM n`, processes)
	for id := range int64(snapshots) {
		r.snapshot(id+1, float64(id), nil)
		r.sample(id+1, id+1, nil)
	}
	r.exec(`INSERT OR IGNORE INTO samples(id, process_id) SELECT 150 << 22 | pid, id FROM processes`)
	snaps, err := query.Snapshots(t.Context(), r.open(), query.Range{})
	if err != nil || len(snaps) != snapshots {
		t.Fatalf("got %d snapshots, %v, want %d", len(snaps), err, snapshots)
	}
	for i, s := range snaps {
		want, pid := 1, int64(5000-i-1)
		if s.ID == 150 {
			want, pid = processes, 5000-processes
		}
		if len(s.Processes) != want || s.Processes[0].PID != pid {
			t.Fatalf("snapshot %d: got %d processes from pid %d, want %d from %d", s.ID, len(s.Processes), s.Processes[0].PID, want, pid)
		}
	}
}

// Retention may delete a snapshot after its head was read: it is left out, and not shown as one without processes.
func TestDB_Snapshots_DeletedMeanwhile(t *testing.T) {
	r := newRecording(t)
	r.process(1, 42, 1, nil)
	for id := int64(1); id <= 3; id++ {
		r.snapshot(id, float64(id), nil)
		r.sample(id, 1, nil)
	}
	r.snapshot(4, 4, nil) // never had any
	deleted := false
	db := r.watch(func(a asked) {
		if !deleted && strings.Contains(a.text, "FROM samples") {
			deleted = true
			r.exec(`DELETE FROM samples WHERE id < 3 << 22; DELETE FROM snapshots WHERE id <= 2`)
		}
	})
	snaps, err := query.Snapshots(t.Context(), db, query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ids(snaps, snapshotID), []int64{3, 4}; !deleted || !slices.Equal(got, want) {
		t.Errorf("got snapshots %v, want %v", got, want)
	}
}
