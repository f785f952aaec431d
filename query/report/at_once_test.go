package report_test

import (
	"strings"
	"testing"

	"github.com/proctape/proctape/query/report"
)

// atOnce inserts two runs of one job that go on at the same time, each with a process that bears another; the second run's fails.
func atOnce(r *recording, named bool) {
	r.Helper()
	r.insert("jobs", row{"host_id": 1, "job_id": "twice", "first_event": began, "last_event": began + 60, "spawns": 4, "exits": 4})
	id := int64(0)
	for n := range int64(2) {
		run := row{"job_id": "twice", "host_id": 1, "run_id": strings.Repeat(string(rune('a'+n)), 32), "declared": 1, "started": began + float64(n), "ended": began + 50 + float64(n),
			"exit_code": n, "status": "completed", "last_event": began + 50, "supervisor": 1}
		if named {
			run = run.with(row{"boot_id": "boot-1", "pid": 100 * (n + 1), "start_ticks": 1000})
		}
		r.insert("runs", run)
		for i := range int64(2) {
			about := row{"job_id": "twice", "pid": 100*(n+1) + 1 + i, "ppid": 100*(n+1) + i, "start_ticks": 1001 + i, "command": "work", "boot_id": "boot-1"}
			id++
			r.event(id, began+float64(n)+float64(i), "spawn", about)
			id++
			r.event(id, began+40+float64(n), "exit", about.with(row{"exit_code": n, "cpu_ms": 1000 * (n + 1), "peak_rss_kib": (n + 1) << 20, "lifetime_ms": 39_000}))
		}
	}
}

// Runs of one job that go on at the same time do not mix: their processes are told apart by descent, where a run's declaration names its
// process. Where it does not, the report says that they mix.
func TestRunReport_RunsAtTheSameTime(t *testing.T) {
	r := newRecording(t)
	atOnce(r, true)
	for run, want := range map[string]struct {
		failed int64
		cpu    float64
		peak   float64
	}{"1": {0, 2, 1024}, "2": {2, 4, 2048}} {
		got := readRun(t, r, "twice", run)
		if got.Spawns != 2 || got.Exits != 2 || got.Failed != want.failed || got.CPUSeconds == nil || *got.CPUSeconds != want.cpu || got.PeakRSS == nil || *got.PeakRSS != want.peak {
			t.Errorf("run %s: %d spawns, %d exits, %d failed, CPU %v, peak %v; want 2, 2, and %+v", run, got.Spawns, got.Exits, got.Failed, *got.CPUSeconds, *got.PeakRSS, want)
		}
		if len(got.Deaths) != int(want.failed) || len(got.Largest) != 2 || !got.ToldApart || len(got.AtOnce) != 1 {
			t.Errorf("run %s: %d deaths, %d processes, told apart %v, beside runs %v", run, len(got.Deaths), len(got.Largest), got.ToldApart, got.AtOnce)
		}
	}
	// The control: where no process is named they mix, and that is said.
	r = newRecording(t)
	atOnce(r, false)
	got := readRun(t, r, "twice", report.Newest)
	if text := textOf(t, got, 0); got.Spawns != 3 || got.ToldApart || !strings.Contains(text, "run 1 went on at the same time; what processes tell is of all of them") {
		t.Errorf("%d spawns, told apart %v\n%s", got.Spawns, got.ToldApart, text)
	}
}
