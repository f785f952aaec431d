package query_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// build7 inserts the job of the contract's sample report.
func (r *recording) build7(changes row) {
	r.Helper()
	r.insert("jobs", row{
		"host_id": 1, "job_id": "build-7", "first_seen": 100.0, "last_seen": 200.0, "samples": 50, "peak_rss_kib": 306688, "max_cpu_permille": 1020,
		"cpu_ms": 61250, "unique_pids": 29, "spawns": 12, "exits": 11, "signals": 2, "ooms": 1, "first_event": 90.0, "last_event": 210.0,
		"status": "done", "exit_code": 3, "command": "make all",
	}.with(changes))
}

func (r *recording) sheet(job string, n int64, rss, cpu any) {
	r.Helper()
	r.insert("job_sheets", row{"host_id": 1, "job_id": job, "sheet_num": n, "peak_rss_kib": rss, "max_cpu_permille": cpu, "cpu_ms": 1500})
}

// syscalls inserts the hotspots of a job, in the order of their first appearance.
func (r *recording) syscalls(job string, calls ...any) {
	r.Helper()
	for i := 0; i < len(calls); i += 2 {
		r.insert("job_syscalls", row{"host_id": 1, "first_ns": 1, "job_id": job, "name": calls[i], "time_pct_x100": calls[i+1], "rank": i / 2})
	}
}

func TestDB_Profile(t *testing.T) {
	r := newRecording(t)
	r.build7(nil)
	r.sheet("build-7", 2, 278016, 1020)
	r.sheet("build-7", 1, 292352, 850)
	r.sheet("build-7", 3, nil, nil) // was announced, and has no samples
	r.sheet("build-7", 4, nil, 5)
	r.sheet("build-70", 9, 1, 1)
	r.syscalls("build-7", "read", 6100, "futex", 14020)
	r.syscalls("build-70", "write", 9999)
	got, err := query.JobProfile(t.Context(), r.open(), query.JobFilter{Name: "build-7"})
	if err != nil {
		t.Fatal(err)
	}
	if names := got.HotspotNames(); !slices.Equal(names, []string{"futex", "read"}) {
		t.Errorf("got hotspots %v, want the largest first", names)
	}
	j, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"job_id":"build-7","peak_rss_mb":299.5,"total_cpu_seconds":61.25,"process_spawn_count":12,"unique_pid_count":29,` +
		`"syscall_hotspots":{"futex":140.2,"read":61},"sheet_metrics":{` +
		`"1":{"peak_rss_mb":285.5,"max_cpu_pct":85,"total_cpu_seconds":1.5},"2":{"peak_rss_mb":271.5,"max_cpu_pct":102,"total_cpu_seconds":1.5},` +
		`"4":{"peak_rss_mb":0,"max_cpu_pct":0.5,"total_cpu_seconds":1.5}},` +
		`"max_cpu_pct":102,"first_seen":90,"last_seen":210,"status":"done","exit_code":3,"process_exit_count":11,` +
		`"scopes":[{"host":"alpha","fleet":false,"hosts":["alpha"],"status":"done","exit_code":3}],"resolution":"totals","coverage":[{"host":"alpha",`
	if !strings.HasPrefix(string(j), want) {
		t.Errorf("got\n%s, want\n%s", j, want)
	}
}

func TestDB_Profile_NothingKnown(t *testing.T) {
	r := newRecording(t)
	r.insert("jobs", row{"host_id": 1, "job_id": "bare"})
	got, err := query.JobProfile(t.Context(), r.open(), query.JobFilter{Name: "bare"})
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"job_id":"bare","peak_rss_mb":0,"total_cpu_seconds":0,"process_spawn_count":0,"unique_pid_count":0,"syscall_hotspots":{},` +
		`"sheet_metrics":{},"max_cpu_pct":0,"first_seen":null,"last_seen":null,"status":null,"exit_code":null,"process_exit_count":0,` +
		`"scopes":[{"host":"alpha","fleet":false,"hosts":["alpha"],"status":null,"exit_code":null}],"resolution":"full","coverage":[],` +
		`"unknown":["max_cpu_pct","peak_rss_mb","process_exit_count","process_spawn_count","total_cpu_seconds","unique_pid_count"]}`
	if string(j) != want {
		t.Errorf("got\n%s, want\n%s", j, want)
	}
}

func TestDB_Profile_NoJob(t *testing.T) {
	r := newRecording(t)
	r.build7(nil)
	db := r.open()
	for _, name := range []string{"", "build", "build-70", "BUILD-7", "build-7 ", "%", "build-7' OR '1'='1"} {
		p, err := query.JobProfile(t.Context(), db, query.JobFilter{Name: name})
		if !errors.Is(err, query.ErrNoJob) || p != nil {
			t.Errorf("%q: got %v, %v, want %v", name, p, err, query.ErrNoJob)
		}
	}
}

func TestDB_Profile_Seen(t *testing.T) {
	r := newRecording(t)
	db := r.open()
	for _, c := range []struct {
		name        string
		change      row
		first, last *float64
	}{
		{"in samples and events", row{"first_seen": 10.0, "last_seen": 20.0, "first_event": 11.0, "last_event": 19.0}, pointer(10.0), pointer(20.0)},
		{"in events first and last", row{"first_seen": 10.0, "last_seen": 20.0, "first_event": 9.0, "last_event": 21.0}, pointer(9.0), pointer(21.0)},
		{"in samples alone", row{"first_seen": 10.0, "last_seen": 20.0, "first_event": nil, "last_event": nil}, pointer(10.0), pointer(20.0)},
		{"in events alone", row{"first_seen": nil, "last_seen": nil, "first_event": 11.0, "last_event": 19.0}, pointer(11.0), pointer(19.0)},
		{"nowhere", row{"first_seen": nil, "last_seen": nil, "first_event": nil, "last_event": nil}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.build7(c.change.with(row{"job_id": c.name}))
			p, err := query.JobProfile(t.Context(), db, query.JobFilter{Name: c.name})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(p.FirstSeen, c.first) || !reflect.DeepEqual(p.LastSeen, c.last) {
				t.Errorf("got %v to %v, want %v to %v", p.FirstSeen, p.LastSeen, c.first, c.last)
			}
		})
	}
}

func TestDB_Jobs(t *testing.T) {
	r := newRecording(t)
	r.build7(nil)
	r.insert("jobs", row{"host_id": 1, "job_id": "early", "first_seen": 1.0, "last_seen": 2.0})
	r.insert("jobs", row{"host_id": 1, "job_id": "late", "first_seen": 1.0, "last_seen": 2.0, "last_event": 300.0})
	r.insert("jobs", row{"host_id": 1, "job_id": "a", "last_event": 210.0})
	r.insert("jobs", row{"host_id": 1, "job_id": "bare"})
	db := r.open()
	for _, c := range []struct {
		name string
		r    query.Range
		want []string
	}{
		{"everything", query.Range{}, []string{"bare", "early", "build-7", "a", "late"}},
		{"since", query.Range{Since: 210}, []string{"build-7", "a", "late"}},
		{"a limit keeps those last seen", query.Range{Limit: 2}, []string{"a", "late"}},
		{"nothing since", query.Range{Since: 301}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			jobs, err := query.Jobs(t.Context(), db, c.r)
			if err != nil {
				t.Fatal(err)
			}
			if jobs == nil {
				t.Error("got nil, want an empty list")
			}
			if got := ids(jobs, func(j query.Job) string { return j.JobID }); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	jobs, err := query.Jobs(t.Context(), db, query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	alpha := query.JobScope{Host: "alpha", Hosts: []string{"alpha"}}
	done := alpha
	done.Status, done.ExitCode = pointer("done"), pointer[int64](3)
	want := query.Job{
		JobID: "build-7", JobScope: done, FirstSeen: pointer(90.0), LastSeen: pointer(210.0), PeakRSS: pointer(299.5), MaxCPU: pointer(102.0),
		CPUSeconds: 61.25, PIDs: 29, Spawns: 12, Exits: 11, Signals: 2, OOMs: 1, Command: pointer("make all"),
	}
	for i := range jobs {
		jobs[i] = jobs[i].Public()
	}
	if !reflect.DeepEqual(jobs[2], want) {
		t.Errorf("got\n%+v, want\n%+v", jobs[2], want)
	}
	if got, want := jobs[0], (query.Job{JobID: "bare", JobScope: alpha}); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}
