package integration_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
)

// TestPipeline_ChildOfKnownBehaviour records a process whose figures are known, from /proc to the report, and checks
// each of them, against the kernel and ps too.
func TestPipeline_ChildOfKnownBehaviour(t *testing.T) {
	long(t)
	dir := t.TempDir()
	recorder := start(t, "up", "--data", dir, "--interval", "250ms", "--host", "testhost")
	recorder.awaitLine("is recording testhost")
	db := filepath.Join(dir, "monitor.db")
	await(t, "first snapshot", func() bool { return count(t, db, `SELECT count(*) FROM snapshots`) > 0 })

	worker := worker(t, "known/job-1", 4)
	stdin, stdout := must(worker.StdinPipe())(t), must(worker.StdoutPipe())(t)
	began := time.Now()
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("worker: %q, %v", line, err)
	}
	ready := time.Now()
	pid := worker.Process.Pid
	// From here on the worker sleeps: two more samples show it as it is.
	seen := count(t, db, `SELECT count(*) FROM snapshots`)
	await(t, "two more snapshots", func() bool { return count(t, db, `SELECT count(*) FROM snapshots`) >= seen+3 })
	psRSS, psThreads := ps(t, pid)
	statCPU := statSeconds(t, pid)
	asleep := unixSeconds(time.Now())
	stdin.Close()
	if err := worker.Wait(); err == nil || worker.ProcessState.ExitCode() != workerCode {
		t.Fatalf("worker ended with %v", err)
	}
	await(t, "exit event", func() bool {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid=%d AND event_type='exit'`, pid)) == 1
	})
	recorder.stop()

	history := decode[query.HistoryPoint](t, run(t, "history", strconv.Itoa(pid), "--data", dir, "--limit", "0", "--json"))
	history = slices.DeleteFunc(history, func(m query.HistoryPoint) bool { return m.Timestamp > asleep }) // when it was ending
	if len(history) < 3 {
		t.Fatalf("%d samples of the worker, want at least 3", len(history))
	}
	last := history[len(history)-1]
	near(t, "rss_mb against what the worker holds", last.RSS, workerMiB, 24)
	near(t, "rss_mb against ps", last.RSS, psRSS, 1)
	near(t, "threads against ps", float64(last.Threads), psThreads, 0)
	near(t, "open_fds", float64(last.OpenFDs), float64(workerFiles), 12) // and those of the Go runtime
	near(t, "cpu_seconds against /proc", last.CPUSeconds, statCPU, 0.05)
	between(t, "age_seconds", last.Age, last.Timestamp-unixSeconds(ready), last.Timestamp-unixSeconds(began))
	if last.State != "S" {
		t.Errorf("state of the sleeping worker: got %q, want S", last.State)
	}
	if last.JobID == nil || *last.JobID != "known/job-1" || last.Sheet == nil || *last.Sheet != 4 {
		t.Errorf("job: got %v, %v", last.JobID, last.Sheet)
	}
	if last.PPID != int64(os.Getpid()) || !strings.HasSuffix(last.Command, "/worker") {
		t.Errorf("got parent %d and command %q", last.PPID, last.Command)
	}
	burnt := 0.0 // the rates summed over their intervals are the CPU time that was used
	for i, m := range history[1:] {
		burnt += m.CPUPercent / 100 * (m.Timestamp - history[i].Timestamp)
	}
	near(t, "sum of the rates", burnt+history[0].CPUSeconds, last.CPUSeconds, 0.15+0.1*last.CPUSeconds)
	busiest := slices.MaxFunc(history, func(a, b query.HistoryPoint) int { return cmp.Compare(a.CPUPercent, b.CPUPercent) }).CPUPercent
	if busiest <= 0 {
		t.Error("the worker was never busy")
	}

	profile := decode[query.Profile](t, run(t, "profile", "known/job-1", "--data", dir, "--json"))[0]
	near(t, "profile peak", profile.PeakRSS, last.RSS, 24)
	used := (worker.ProcessState.UserTime() + worker.ProcessState.SystemTime()).Seconds() // its end with it
	near(t, "profile cpu against getrusage", profile.CPUSeconds, used, 0.05+0.1*used)     // the kernel's exit record counts by the tick
	near(t, "highest cpu_percent", profile.MaxCPU, busiest, 0.1)
	if profile.PIDs != 1 || profile.Spawns != 1 {
		t.Errorf("got %d pids and %d spawns, want 1 and 1", profile.PIDs, profile.Spawns)
	}
	events := decode[query.Event](t, run(t, "events", "--pid", strconv.Itoa(pid), "--data", dir, "--json"))
	if len(events) != 2 || events[0].Type != "spawn" || events[1].Type != "exit" {
		t.Fatalf("got events %+v, want a spawn and an exit", events)
	}
	between(t, "spawn time", events[0].Timestamp, unixSeconds(began), max(unixSeconds(ready), history[0].Timestamp))
	if code := events[1].ExitCode; os.Geteuid() == 0 && (code == nil || *code != 3) {
		t.Errorf("exit code: got %v, %q, want 3", code, events[1].Details)
	}
	want := fmt.Sprintf("Resource Profile for job 'known/job-1':\n  Peak memory: %.1f MB\n  Process spawns: 1\n  Unique PIDs observed: 1\n\n"+
		"  Per-sheet resource peaks:\n    Sheet 4: peak RSS %.1f MB, max CPU %.0f%%\n\n  Process lifecycle: 1 spawns, 1 exits\n",
		profile.PeakRSS, profile.PeakRSS, profile.MaxCPU)
	if got := run(t, "report", "known/job-1", "--format", "classic", "--data", dir); got != want {
		t.Errorf("got report\n%s\nwant\n%s", got, want)
	}
}

// TestPipeline_PlainSqliteReadsWhileRecording reads the contract's tables with the sqlite3 program, which knows
// nothing of us, while the recorder writes.
func TestPipeline_PlainSqliteReadsWhileRecording(t *testing.T) {
	long(t)
	t.Parallel()
	sqlite3, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("SKIPPED: there is no sqlite3 program on this machine")
	}
	dir := t.TempDir()
	recorder := start(t, "up", "--data", dir, "--interval", "100ms")
	recorder.awaitLine("is recording")
	db := filepath.Join(dir, "monitor.db")
	await(t, "ten snapshots", func() bool { return count(t, db, `SELECT count(*) FROM snapshots`) >= 10 })
	for query, least := range map[string]int{
		`SELECT count(*) FROM snapshots WHERE timestamp > 0 AND child_count > 0`:                                                                     10,
		fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid = %d AND rss_mb > 1 AND command LIKE '%%up --data%%'`, recorder.cmd.Process.Pid): 5,
		`SELECT count(*) FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id WHERE s.timestamp > unixepoch() - 3600`:                     10,
		`SELECT (SELECT count(*) FROM process_metrics WHERE snapshot_id = s.id) = s.child_count FROM snapshots s ORDER BY s.id DESC LIMIT 1`:         1,
		`SELECT count(*) >= 0 FROM process_events WHERE event_type IN ('spawn','exit','signal','kill','oom')`:                                        1,
	} {
		out, err := exec.Command(sqlite3, "-readonly", db, query).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", query, err, out)
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || n < least {
			t.Errorf("%s: got %s, want at least %d", query, out, least)
		}
	}
	recorder.stop()
	if out, err := exec.Command(sqlite3, db, `PRAGMA integrity_check`).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("integrity_check: %s, %v", out, err)
	}
}

// near checks that two figures differ by at most tolerance.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.3f, want %.3f, give or take %.3f", what, got, want, tolerance)
	}
}

// between checks that a figure lies between two, give or take what clocks of hundredths of a second differ by.
func between(t *testing.T, what string, got, least, most float64) {
	t.Helper()
	if math.IsNaN(got) || got < least-0.05 || got > most+0.05 {
		t.Errorf("%s: got %.3f, want %.3f to %.3f", what, got, least, most)
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// count runs a query of one number, on a database that may not be there yet.
func count(t *testing.T, path, query string) int {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return 0
	}
	db := readOnly(t, path)
	defer db.Close()
	var n int
	if err := db.QueryRow(query).Scan(&n); err != nil {
		return 0 // no table yet
	}
	return n
}

// decode reads one JSON object a line.
func decode[T any](t *testing.T, lines string) []T {
	t.Helper()
	var out []T
	for line := range strings.Lines(lines) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		out = append(out, v)
	}
	return out
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ps asks the ps program for a process's resident MiB and threads.
func ps(t *testing.T, pid int) (rss, threads float64) {
	t.Helper()
	out, err := exec.Command("ps", "-o", "rss=,nlwp=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Skipf("SKIPPED: there is no ps program to compare with: %v", err)
	}
	var kib float64
	if _, err := fmt.Sscan(string(out), &kib, &threads); err != nil {
		t.Fatalf("ps printed %q: %v", out, err)
	}
	return kib / 1024, threads
}

// statSeconds is a process's CPU time as /proc/PID/stat has it.
func statSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, system := must(strconv.ParseFloat(fields[11], 64))(t), must(strconv.ParseFloat(fields[12], 64))(t)
	return (user + system) / 100
}
