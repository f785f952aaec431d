package query_test

import (
	"math"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
)

// TestConditionsOf reads what a job ran under: of snapshots of its time alone, each process less what it had waited before, and of episodes of the job and its host.
func TestConditionsOf(t *testing.T) {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	for i := range int64(10) { // from 100 to 109
		r.snapshot(10+i, 100+float64(i), row{"interval_ns": int64(1e9), "pressure": `{"cpu_some":` + string(rune('0'+i)) + `,"memory_some":1,"memory_full":null,"io_some":null,"io_full":null}`})
		r.snapshot(50+i, 100+float64(i), row{"interval_ns": int64(1e9), "host_id": 2, "pressure": `{"cpu_some":99,"memory_some":99,"io_some":99}`})
	}
	job := row{"job_id": "j"}
	r.process(1, 41, 11, job)                                       // was there before
	r.process(2, 42, 14, job.with(row{"last_snapshot": int64(16)})) // lives and ends within
	r.process(3, 43, 11, row{})                                     // of no job
	for _, s := range [][3]int64{{12, 1, 5000}, {13, 1, 7000}, {17, 1, 9500}, {14, 2, 100}, {16, 2, 700}, {17, 3, 80_000}} {
		r.sample(s[0], s[1], row{"run_delay_ms": s[2], "syscall_counts": nil, "syscall_time_pct": nil})
	}
	r.insert("job_syscalls", row{"job_id": "j", "host_id": 1, "name": "futex"})
	r.sample(15, 2, row{"syscall_time_pct": `{"futex":70,"read":30}`})
	episode := row{"host_id": 1, "boot_id": "b", "subject": "process", "started": 90.0, "last_seen": 104.0, "severity": "high", "job_id": "j", "description": "", "labels": "{}", "more_values": "{}"}
	for i, e := range []row{{"type": "zombie"}, {"type": "leak", "last_seen": 95.0}, {"type": "oom", "job_id": "other"}, {"type": "memory_pressure", "job_id": nil, "subject": "host"},
		{"type": "thread_growth", "host_id": 2, "subject": "host", "job_id": nil}} {
		r.insert("anomalies", episode.with(e).with(row{"episode_id": string(rune('a' + i)), "id": i}))
	}
	db := r.open()
	c, err := query.ConditionsOf(t.Context(), db, query.JobTime{Job: "j", Host: "alpha", From: 103, To: 107})
	if err != nil {
		t.Fatal(err)
	}
	if c.CPUPressure == nil || *c.CPUPressure != 5 || *c.MemoryPressure != 1 || c.IOPressure != nil {
		t.Errorf("pressure: %v %v %v", c.CPUPressure, c.MemoryPressure, c.IOPressure)
	}
	if want := (9.5 - 7) + 0.7; c.Waited == nil || math.Abs(*c.Waited-want) > 1e-9 {
		t.Errorf("waited %v, want %g", c.Waited, want)
	}
	if c.Dominant(0.35) != "futex" || c.Dominant(0.75) != "" {
		t.Errorf("system calls %+v", c.Hotspots)
	}
	if !c.AnomaliesKnown || !slices.Equal(c.Anomalies, []string{"memory_pressure", "zombie"}) {
		t.Errorf("anomalies %v, known %v", c.Anomalies, c.AnomaliesKnown)
	}
	// Of a time that snapshots are hardly of, nothing is known; nor of anomalies before the first one.
	c, err = query.ConditionsOf(t.Context(), db, query.JobTime{Job: "j", Host: "alpha", From: 20, To: 89})
	if err != nil || c.CPUPressure != nil || c.Waited != nil || c.AnomaliesKnown {
		t.Errorf("of a time without snapshots: %+v, %v", c, err)
	}
	c, err = query.ConditionsOf(t.Context(), db, query.JobTime{Job: "j", Host: "alpha", From: 60, To: 107})
	if err != nil || c.CPUPressure != nil || c.Waited != nil {
		t.Errorf("of a time that is hardly known: %+v, %v", c, err)
	}
}
