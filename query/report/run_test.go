package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/term"
)

func init() { time.Local = time.UTC } // the golden files have no other zone

// Two runs of a pipeline of three steps, of which the second runs out of memory when it links. Times are seconds after began.
const (
	began   = 1_795_746_780.0 // 2026-11-27 02:33:00 UTC
	secondT = 400.0           // when the second run begins
	deathT  = secondT + 248
)

// pipeline inserts the pipeline: a snapshot each ten seconds, the processes of its last step, and the starts and ends of all.
func pipeline(r *recording) {
	r.Helper()
	for i := int64(1); i <= 80; i++ {
		at := began + 10*float64(i-1)
		r.insert("snapshots", row{"id": i, "timestamp": at, "host_id": 1, "boot_id": "boot-1", "boot_ns": int64(10e9 * float64(i)), "wall_ns": int64(at * 1e9),
			"instance": "00", "seq": i, "tick": i, "interval_ns": int64(10e9), "cpus": 8, "system_memory_total_mb": 24576.0, "system_memory_used_mb": 13414.0,
			"capabilities": `["events.taskstats","io"]`})
	}
	r.insert("jobs", row{"host_id": 1, "job_id": "build-7", "first_seen": began, "last_seen": began + deathT, "peak_rss_kib": 7914 << 10, "unique_pids": 9,
		"spawns": 9, "exits": 9, "ooms": 1, "first_event": began, "last_event": began + deathT, "status": "failed", "exit_code": 2})
	for n, of := range []struct {
		at, took float64
		code     int
		status   string
	}{{0, 320, 0, "completed"}, {secondT, 248.5, 2, "failed"}} {
		id := strings.Repeat(fmt.Sprint(n+1), 32)
		r.insert("runs", row{"job_id": "build-7", "host_id": 1, "run_id": id, "declared": 1, "started": began + of.at, "ended": began + of.at + of.took,
			"exit_code": of.code, "status": of.status, "command": "make -j8", "total_sheets": 3, "last_event": began + of.at + of.took})
		for i, s := range []struct{ at, took, cpu, group float64 }{{0, 50, 40, 612}, {50, 100, 690, 3410}, {150, of.took - 150, 620, 7403 + 789*float64(n)}} {
			code := 0
			if i == 2 {
				code = of.code
			}
			r.insert("run_steps", row{"job_id": "build-7", "host_id": 1, "run_id": id, "sheet_num": i + 1, "started": began + of.at + s.at, "ended": began + of.at + s.at + s.took,
				"exit_code": code, "cpu_us": int64(s.cpu * 1e6), "cpu_source": "cgroup", "group_peak_kib": int64(s.group * 1024), "peak_rss_kib": int64(s.group * 900), "peak_source": "wait4"})
		}
	}
	linkers(r)
}

// linkers inserts the processes of the last step: a linker that grows to the limit, one that does not, and make.
func linkers(r *recording) {
	r.Helper()
	events := int64(0)
	event := func(at float64, kind string, changes row) {
		events++
		r.event(events, began+at, kind, row{"job_id": "build-7", "sheet_num": 3}.with(changes))
	}
	for i, p := range []struct {
		pid, ppid   int64
		command     string
		from, grows float64 // MiB, and MiB a snapshot
	}{{48102, 45010, "make -j8", 20, 0}, {48211, 48102, "ld.lld -o app --threads=8 @objs.rsp", 5780, 237}, {48190, 48102, "ld.lld -o tool", 190, 1}} {
		id := int64(i + 1)
		r.insert("processes", row{"id": id, "host_id": 1, "boot_id": "boot-1", "pid": p.pid, "start_ticks": 55000 + id, "ppid": p.ppid, "command": p.command, "job_id": "build-7",
			"sheet_num": 3, "cgroup": "/build-7", "first_snapshot": 56, "last_snapshot": 65, "ended": began + deathT, "cpu_ms": 1000 * id, "peak_rss_kib": int64(p.from+9*p.grows) * 1024})
		event(secondT+150, "spawn", row{"pid": p.pid, "ppid": p.ppid, "start_ticks": 55000 + id})
		for snapshot := int64(56); snapshot <= 65; snapshot++ {
			r.insert("samples", row{"id": snapshot<<22 | p.pid, "process_id": id, "state": "R", "rss_kib": int64(p.from+float64(snapshot-56)*p.grows) * 1024, "cpu_permille": 4000, "cpu_ms": 1000})
		}
	}
	ended := row{"lifetime_ms": 100_000, "cpu_ms": 500_000, "peak_rss_kib": 204 << 10, "read_kib": 2048, "write_kib": 1024}
	event(deathT, "oom", row{"pid": 48211, "start_ticks": 55002, "signal_num": 9, "details": "out of memory: cgroup /build-7 was at its limit; the process held 7914 MiB", "command": "ld.lld -o app --threads=8 @objs.rsp"})
	event(deathT, "exit", ended.with(row{"pid": 48211, "start_ticks": 55002, "signal_num": 9, "peak_rss_kib": 7914 << 10, "command": "ld.lld -o app --threads=8 @objs.rsp"}))
	event(deathT+0.1, "exit", ended.with(row{"pid": 48190, "start_ticks": 55003, "exit_code": 0, "command": "ld.lld -o tool"}))
	event(deathT+0.2, "exit", ended.with(row{"pid": 48102, "start_ticks": 55001, "exit_code": 2, "cpu_ms": 1000, "command": "make -j8"}))
	for i := range int64(6) { // of the other steps, and of the first run
		event(secondT+float64(10*i), "spawn", row{"pid": 46000 + i, "sheet_num": 1 + i/3, "start_ticks": 50000 + i})
		event(secondT+float64(20*i)+1, "exit", row{"pid": 46000 + i, "sheet_num": 1 + i/3, "start_ticks": 50000 + i, "exit_code": i % 2, "lifetime_ms": 900, "cpu_ms": 800,
			"peak_rss_kib": 50 << 10, "command": "cc -c `a|b`.c"})
	}
}

func readRun(t *testing.T, r *recording, job, run string) *report.RunReport {
	t.Helper()
	got, err := report.ReadRun(t.Context(), r.open(), query.JobFilter{Name: job}, run, time.Unix(int64(began)+1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// textOf is the text for a width, with its lines checked against it.
func textOf(t *testing.T, r *report.RunReport, width int) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b, width); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if width > 0 && term.Width(line) > width {
			t.Errorf("a line has %d cells, of %d: %s", term.Width(line), width, line)
		}
	}
	return b.String()
}

func TestRunReport_Golden(t *testing.T) {
	r := newRecording(t)
	pipeline(r)
	failed, before := readRun(t, r, "build-7", report.Newest), readRun(t, r, "build-7", "1")
	golden(t, "run_failed.txt", textOf(t, failed, 0))
	golden(t, "run_failed_60.txt", textOf(t, failed, 60))
	golden(t, "run_ended.txt", textOf(t, before, 0))
	golden(t, "run_failed.md", failed.Markdown())
	golden(t, "run_ended.md", before.Markdown())
	b, err := json.MarshalIndent(failed, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "run_failed.json", string(b)+"\n")
}

// A job that nobody declared has a report too, of all that is known; so has one that was only declared.
func TestRunReport_LittleKnown(t *testing.T) {
	r := newRecording(t)
	pipeline(r)
	r.exec(`DELETE FROM runs; DELETE FROM run_steps`)
	golden(t, "run_undeclared.txt", textOf(t, readRun(t, r, "build-7", report.Newest), 0))
	r.insert("jobs", row{"host_id": 1, "job_id": "empty", "first_event": began, "last_event": began + 5, "started": began, "status": "running"})
	r.insert("runs", row{"job_id": "empty", "host_id": 1, "run_id": strings.Repeat("e", 32), "declared": 1, "started": began, "ended": began + 20, "last_event": began, "status": "given up"})
	golden(t, "run_empty.txt", textOf(t, readRun(t, r, "empty", report.Newest), 0))
	_, err := report.ReadRun(t.Context(), r.open(), query.JobFilter{Name: "nobody"}, report.Newest, time.Now())
	if !errors.Is(err, query.ErrNoJob) {
		t.Errorf("of a job that is not there: %v", err)
	}
	var none *query.NoRunError
	if _, err := report.ReadRun(t.Context(), r.open(), query.JobFilter{Name: "build-7"}, "7", time.Now()); !errors.As(err, &none) {
		t.Errorf("of a run that is not there: %v", err)
	}
}

// What all had at one time never looks smaller than what the largest process had: where the control group was charged less, for pages that
// others had loaded, and where no snapshot was there at the peak, the better figure stands there, and the report says why.
func TestRunReport_PeakTogether(t *testing.T) {
	for _, c := range []struct {
		change string
		peak   float64
		source string
		text   string
	}{
		{``, 8192, "cgroup", "peak 8 192 MiB together (cgroup, with page cache), 7 914 MiB the largest"},
		{`UPDATE run_steps SET group_peak_kib = 512`, 8132, "samples",
			"peak 8 132 MiB together (samples; the cgroup was charged 0.5 MiB, for pages that others had loaded do not count there), 7 914 MiB the largest"},
		{`UPDATE run_steps SET group_peak_kib = 512; DELETE FROM samples WHERE process_id = 2`, 7914, "largest",
			"peak at least 7 914 MiB together (the largest alone; the cgroup was charged 0.5 MiB, for pages that others had loaded do not count there), 7 914 MiB the largest"},
		{`UPDATE run_steps SET group_peak_kib = NULL; DELETE FROM samples WHERE process_id = 2`, 7914, "largest",
			"peak at least 7 914 MiB together (the largest alone; no snapshot has more than 219 MiB), 7 914 MiB the largest"},
		{`UPDATE run_steps SET group_peak_kib = NULL; DELETE FROM samples`, 7914, "largest", "peak 7 914 MiB the largest"},
	} {
		r := newRecording(t)
		pipeline(r)
		r.exec(`UPDATE run_steps SET peak_rss_kib = 1024`)
		if c.change != "" {
			r.exec(c.change)
		}
		got := readRun(t, r, "build-7", report.Newest)
		if got.Together.Peak == nil || *got.Together.Peak != c.peak || *got.Together.Source != c.source {
			t.Errorf("after %q: %v by %v, want %v by %s", c.change, got.Together.Peak, got.Together.Source, c.peak, c.source)
		}
		for what, text := range map[string]string{"text": textOf(t, got, 0), "markdown": got.Markdown()} {
			if !strings.Contains(text, c.text) {
				t.Errorf("after %q the %s has no %q:\n%s", c.change, what, c.text, text)
			}
		}
		for i := range got.Steps {
			if s := &got.Steps[i]; s.PeakRSS != nil && *s.Together.Peak < *s.PeakRSS {
				t.Errorf("after %q step %d had %v together and %v in one process", c.change, s.Sheet, *s.Together.Peak, *s.PeakRSS)
			}
		}
	}
}

// Each advice names the figures that it stands on, in its text and as data; without the condition there is none.
func TestRunReport_Advice(t *testing.T) {
	for _, c := range []struct{ condition, change string }{
		{"memory_limit", ``},
		{"", `UPDATE snapshots SET system_memory_used_mb = 24000`},              // the machine was short
		{"", `UPDATE process_events SET details = '' WHERE event_type = 'oom'`}, // no limit is known
		{"peak_grew", `DELETE FROM process_events WHERE event_type = 'oom'; UPDATE run_steps SET group_peak_kib = 1024 * 4000 WHERE sheet_num = 3 AND run_id LIKE '1%'`},
		{"slower", `DELETE FROM process_events WHERE event_type = 'oom'; UPDATE run_steps SET ended = started + 30 WHERE sheet_num = 2 AND run_id LIKE '1%'`},
		{"one_core", `DELETE FROM process_events WHERE event_type = 'oom'; UPDATE run_steps SET cpu_us = 80000000; UPDATE process_events SET cpu_ms = 1`},
		{"zombies", `DELETE FROM process_events WHERE event_type = 'oom'; UPDATE samples SET state = 'Z' WHERE process_id = 3`},
		{"huge_pages", `DELETE FROM process_events WHERE event_type = 'oom'; UPDATE samples SET hugetlb_kib = 204800 WHERE process_id = 3 AND id >> 22 = 60`},
		{"", `DELETE FROM process_events WHERE event_type = 'oom'; UPDATE samples SET hugetlb_kib = 0`},
	} {
		r := newRecording(t)
		pipeline(r)
		if c.change != "" {
			r.exec(c.change)
		}
		got := readRun(t, r, "build-7", report.Newest).Advice
		if c.condition == "" {
			if len(got) != 0 {
				t.Errorf("after %s: %+v", c.change, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Condition != c.condition || len(got[0].Evidence) < 2 || !regexp.MustCompile(`[0-9]`).MatchString(got[0].Text) {
			t.Errorf("after %s: got %+v, want %s", c.change, got, c.condition)
		}
	}
}

// Memory in huge pages stands beside the peak, and with the process that has it; the peak of resident memory stays what it was.
func TestRunReport_HugePages(t *testing.T) {
	r := newRecording(t)
	pipeline(r)
	before := readRun(t, r, "build-7", report.Newest)
	r.exec(`UPDATE samples SET hugetlb_kib = 204800 WHERE process_id = 3 AND id >> 22 BETWEEN 58 AND 60; UPDATE samples SET hugetlb_kib = 10240 WHERE process_id = 1 AND id >> 22 = 59`)
	got := readRun(t, r, "build-7", report.Newest)
	// The linker that grows has 5780 + 4 × 237 MiB in snapshot 60, and no huge pages: it is the largest all the same.
	if got.Samples.Hugetlb == nil || *got.Samples.Hugetlb != 210 || *got.Samples.Largest != 5780+4*237 || *got.PeakRSS != *before.PeakRSS {
		t.Errorf("got %v, largest %v, peak %v; want 210, %d and %v", got.Samples.Hugetlb, got.Samples.Largest, got.PeakRSS, 5780+4*237, before.PeakRSS)
	}
	if text := textOf(t, got, 0); !regexp.MustCompile(`210 MiB in huge pages, 6\D728 MiB the largest with them`).MatchString(text) {
		t.Errorf("the text has no word of it:\n%s", text)
	}
	if before.Samples.Hugetlb != nil || strings.Contains(textOf(t, before, 0), "huge pages") {
		t.Error("a run without huge pages is said to have them")
	}
}

// What a job, a command or a status is called neither steers a terminal nor breaks the Markdown.
func TestRunReport_HostileNames(t *testing.T) {
	r := newRecording(t)
	pipeline(r)
	const name = "a\x1b[31m|b`\n<img src=x>"
	for _, table := range []string{"jobs", "runs", "run_steps", "processes", "process_events"} {
		r.exec(`UPDATE `+table+` SET job_id = ?`, name)
	}
	r.exec(`UPDATE process_events SET command = ?; UPDATE processes SET command = ?`, name, name)
	got := readRun(t, r, name, report.Newest)
	for what, text := range map[string]string{"text": textOf(t, got, 0), "markdown": got.Markdown()} {
		if strings.ContainsAny(text, "\x1b") || strings.Contains(text, "b`\n<") {
			t.Errorf("the %s has a name as it is:\n%s", what, text)
		}
	}
	for _, line := range strings.Split(got.Markdown(), "\n") {
		if strings.Contains(line, "<img") && strings.Count(line, "`")%2 != 0 {
			t.Errorf("a line of the Markdown has an open quote: %s", line)
		}
	}
}
