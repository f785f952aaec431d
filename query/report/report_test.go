package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// reportTime is when the reports of the tests are made.
var reportTime = time.Unix(1_000_000, 0)

const (
	recently   = 999_000.0
	oldestKept = 1_000_000.0 - 7*86400
)

// contractSample inserts the job of which the contract shows the report.
func contractSample(r *recording) {
	r.Helper()
	r.build7(nil)
	r.sheet("build-7", 2, 278016, 1020)
	r.sheet("build-7", 1, 292352, 850)
	r.syscalls("build-7", "read", 6100, "futex", 14020)
	var id int64
	add := func(n int, kind string, changes row) {
		for range n {
			id++
			r.event(id, recently+float64(id), kind, row{"job_id": "build-7"}.with(changes))
		}
	}
	add(12, "spawn", nil)
	add(1, "signal", row{"pid": 4242, "signal_num": 15, "details": "details text"})
	add(1, "kill", row{"pid": 4243, "details": "details text"})
	add(1, "oom", row{"pid": 4250, "details": "details text"})
	add(11, "exit", nil)
	add(5, "spawn", row{"job_id": "build-70"})
	add(5, "signal", row{"job_id": nil})
}

func classic(t *testing.T, r *recording, job string) string {
	t.Helper()
	made, err := report.Read(t.Context(), r.open(), query.JobFilter{Name: job}, reportTime)
	if err != nil {
		t.Fatal(err)
	}
	return made.Classic()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReport_Classic_ContractSample(t *testing.T) {
	r := newRecording(t)
	contractSample(r)
	golden(t, "report_classic.txt", classic(t, r, "build-7"))
}

// The parts of the sample, each of which may be missing.
const (
	partHead = "Resource Profile for job 'build-7':\n  Peak memory: 299.5 MB\n  Process spawns: 12\n  Unique PIDs observed: 29\n"
	partStep = "\n  Per-sheet resource peaks:\n    Sheet 1: peak RSS 285.5 MB, max CPU 85%\n    Sheet 2: peak RSS 271.5 MB, max CPU 102%\n"
	partHot  = "\n  Syscall hotspots (cumulative time %):\n    futex: 140.2%\n    read: 61.0%\n"
	partSig  = "\n  Signals sent: 2\n    PID 4242 signal=15 details text\n    PID 4243  details text\n"
	partOOM  = "\n  OOM events: 1\n    PID 4250: details text\n"
	partLife = "\n  Process lifecycle: 12 spawns, 11 exits\n"
	noData   = "Resource Profile for job '%s':\n  No profiler data available.\n"
)

func TestReport_Classic(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for _, c := range []struct {
		name   string
		change func(*recording)
		want   string
	}{
		{"all of it", func(*recording) {}, partHead + partStep + partHot + partSig + partOOM + partLife},
		{"without sheets", func(r *recording) { r.exec(`DELETE FROM job_sheets`) }, partHead + partHot + partSig + partOOM + partLife},
		{"without hotspots", func(r *recording) { r.exec(`DELETE FROM job_syscalls`) }, partHead + partStep + partSig + partOOM + partLife},
		{"without signals", func(r *recording) { r.exec(`DELETE FROM process_events WHERE event_type IN ('signal','kill')`) }, partHead + partStep + partHot + partOOM + partLife},
		{"without OOMs", func(r *recording) { r.exec(`DELETE FROM process_events WHERE event_type = 'oom'`) }, partHead + partStep + partHot + partSig + partLife},
		{"without spawns and exits", func(r *recording) { r.exec(`DELETE FROM process_events WHERE event_type IN ('spawn','exit')`) }, partHead + partStep + partHot + partSig + partOOM},
		{"exits alone have no lifecycle", func(r *recording) { r.exec(`DELETE FROM process_events WHERE event_type = 'spawn'`) }, partHead + partStep + partHot + partSig + partOOM},
		{"spawns alone have one", func(r *recording) { r.exec(`DELETE FROM process_events WHERE event_type = 'exit'`) },
			partHead + partStep + partHot + partSig + partOOM + "\n  Process lifecycle: 12 spawns, 0 exits\n"},
		{"the head alone", func(r *recording) {
			r.exec(`DELETE FROM process_events; DELETE FROM job_syscalls; DELETE FROM job_sheets`)
		}, partHead},
		{"a week old counts", func(r *recording) { r.exec(`UPDATE process_events SET timestamp = ?`, oldestKept) },
			partHead + partStep + partHot + partSig + partOOM + partLife},
		{"older than a week does not", func(r *recording) { r.exec(`UPDATE process_events SET timestamp = ?`, oldestKept-0.001) }, partHead + partStep + partHot},
		{"a signal of number 0 is not shown", func(r *recording) { r.exec(`UPDATE process_events SET signal_num = 0 WHERE signal_num = 15`) },
			partHead + partStep + partHot + strings.Replace(partSig, "signal=15", "", 1) + partOOM + partLife},
		{"no details", func(r *recording) { r.exec(`UPDATE process_events SET details = NULL`) },
			partHead + partStep + partHot + strings.ReplaceAll(partSig, "details text", "") + strings.ReplaceAll(partOOM, "details text", "") + partLife},
		{"sheets in the order of their numbers", func(r *recording) { r.exec(`UPDATE job_sheets SET sheet_num = 10 WHERE sheet_num = 1`) },
			partHead + "\n  Per-sheet resource peaks:\n    Sheet 2: peak RSS 271.5 MB, max CPU 102%\n    Sheet 10: peak RSS 285.5 MB, max CPU 85%\n" + partHot + partSig + partOOM + partLife},
		{"a sheet that was only announced is none", func(r *recording) { r.sheet("build-7", 3, nil, nil) }, partHead + partStep + partHot + partSig + partOOM + partLife},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecording(t)
			contractSample(r)
			c.change(r)
			if got := classic(t, r, "build-7"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestReport_Classic_NoData(t *testing.T) {
	r := newRecording(t)
	r.insert("jobs", row{"host_id": 1, "job_id": "declared", "status": "running", "first_event": 1.0, "command": "make"})
	r.sheet("declared", 1, nil, nil)
	contractSample(r)
	for _, job := range []string{"declared", "build", "it's", `"`, "", "é\n"} {
		if got, want := classic(t, r, job), fmt.Sprintf(noData, job); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// A job of which anything was seen has data: samples, or a spawn or an exit that no sample saw.
func TestReport_Classic_LittleData(t *testing.T) {
	r := newRecording(t)
	head := "Resource Profile for job '%s':\n  Peak memory: %s MB\n  Process spawns: %d\n  Unique PIDs observed: %d\n"
	for _, c := range []struct {
		name   string
		job    row
		events []string
		want   string
	}{
		{"samples", row{"peak_rss_kib": 1024, "unique_pids": 1}, nil, fmt.Sprintf(head, "samples", "1.0", 0, 1)},
		{"spawn", row{"spawns": 1}, []string{"spawn"}, fmt.Sprintf(head, "spawn", "0.0", 1, 0) + "\n  Process lifecycle: 1 spawns, 0 exits\n"},
		{"exit", row{"exits": 1}, []string{"exit"}, fmt.Sprintf(head, "exit", "0.0", 0, 0)},
		{"oom", row{"ooms": 1}, []string{"oom"}, fmt.Sprintf(head, "oom", "0.0", 0, 0) + "\n  OOM events: 1\n    PID 42: \n"},
		{"signal", row{"signals": 1}, []string{"kill"}, fmt.Sprintf(head, "signal", "0.0", 0, 0) + "\n  Signals sent: 1\n    PID 42  \n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.insert("jobs", row{"host_id": 1, "job_id": c.name}.with(c.job))
			for _, kind := range c.events {
				r.exec(`DELETE FROM process_events`)
				r.event(1, recently, kind, row{"job_id": c.name})
			}
			if got := classic(t, r, c.name); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// The count is of all, the list is of the first.
func TestReport_Classic_Many(t *testing.T) {
	r := newRecording(t)
	r.build7(nil)
	want := partHead + "\n  Signals sent: 13\n"
	for i := range int64(13) {
		kind := []string{"signal", "kill"}[i%2]
		// Ids fall as times rise: the first are those of the lowest times.
		r.event(100-i, recently+float64(i), kind, row{"job_id": "build-7", "pid": 1000 + i, "signal_num": i + 1, "details": fmt.Sprint("n", i)})
		if i < 10 {
			want += fmt.Sprintf("    PID %d signal=%d n%d\n", 1000+i, i+1, i)
		}
	}
	r.event(200, oldestKept-1, "signal", row{"job_id": "build-7", "pid": 1})
	want += "\n  OOM events: 7\n"
	for i := range int64(7) {
		r.event(400-i, recently+float64(i), "oom", row{"job_id": "build-7", "pid": 2000 + i, "details": fmt.Sprint("o", i)})
		if i < 5 {
			want += fmt.Sprintf("    PID %d: o%d\n", 2000+i, i)
		}
	}
	if got := classic(t, r, "build-7"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReport_Classic_Hotspots(t *testing.T) {
	r := newRecording(t)
	r.build7(nil)
	r.syscalls("build-7", "zzz", 500, "openat", 100, "read", 900, "mmap", 500, "futex", 14020, "aaa", 500, "bbb", 100, "close", 300,
		"write", 250, "poll", 245, "stat", 100, "brk", 100)
	want := partHead + `
  Syscall hotspots (cumulative time %):
    futex: 140.2%
    read: 9.0%
    zzz: 5.0%
    mmap: 5.0%
    aaa: 5.0%
    close: 3.0%
    write: 2.5%
    poll: 2.5%
    openat: 1.0%
    bbb: 1.0%
`
	// 2.45 is a little more than that in binary, so poll's is rounded up.
	if got := classic(t, r, "build-7"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Numbers are rounded as %.1f and %.0f of C and Python round: to the nearest, and a number that is just between to even.
func TestReport_Classic_Rounding(t *testing.T) {
	for _, c := range []struct {
		rssKiB, cpu int64 // cpu in tenths of a percent
		rss, pct    string
	}{
		{0, 0, "0.0", "0"},
		{1, 1, "0.0", "0"},
		{51, 4, "0.0", "0"},
		{52, 5, "0.1", "0"},
		{256, 15, "0.2", "2"},
		{768, 25, "0.8", "2"},
		{1024, 845, "1.0", "84"},
		{306688, 855, "299.5", "86"},
		{1 << 30, 12345, "1048576.0", "1234"},
	} {
		t.Run(fmt.Sprint(c.rssKiB), func(t *testing.T) {
			made := report.Report{Name: "x", Profile: &query.Profile{PeakRSS: float64(c.rssKiB) / 1024,
				Sheets: map[int64]query.Sheet{1: {PeakRSS: float64(c.rssKiB) / 1024, MaxCPU: float64(c.cpu) / 10}}}}
			got := made.Classic()
			if want := fmt.Sprintf("  Peak memory: %s MB\n", c.rss); !strings.Contains(got, want) {
				t.Errorf("got\n%s, want %s", got, want)
			}
			if want := fmt.Sprintf("    Sheet 1: peak RSS %s MB, max CPU %s%%\n", c.rss, c.pct); !strings.Contains(got, want) {
				t.Errorf("got\n%s, want %s", got, want)
			}
		})
	}
	r := newRecording(t)
	r.build7(nil)
	r.syscalls("build-7", "a", 1234567, "b", 14035, "c", 14025, "d", 75, "e", 25, "f", 5, "g", 4, "h", 0)
	// 140.35 and 0.05 are a little more than that in binary.
	want := "    a: 12345.7%\n    b: 140.3%\n    c: 140.2%\n    d: 0.8%\n    e: 0.2%\n    f: 0.1%\n    g: 0.0%\n    h: 0.0%\n"
	if got := classic(t, r, "build-7"); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s, want at its end\n%s", got, want)
	}
}

func TestReport_Classic_Names(t *testing.T) {
	r := newRecording(t)
	for _, name := range []string{"it's", `say "hi"`, "a%sb", "50%d", "größe", "a b"} {
		r.insert("jobs", row{"host_id": 1, "job_id": name, "peak_rss_kib": 1024, "unique_pids": 1})
		r.syscalls(name, "x%d", 100)
		r.event(0, recently, "oom", row{"id": nil, "job_id": name, "details": "100%s"})
		want := "Resource Profile for job '" + name + "':\n  Peak memory: 1.0 MB\n  Process spawns: 0\n  Unique PIDs observed: 1\n" +
			"\n  Syscall hotspots (cumulative time %):\n    x%d: 1.0%\n\n  OOM events: 1\n    PID 42: 100%s\n"
		if got := classic(t, r, name); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}
