package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// contractTables asks the tables that other programs rely on, in plain SQL, beside the commands.
type contractTables struct {
	*testing.T
	db   *sql.DB
	data string
}

// rows are the rows of a question, each a map by column.
func (c *contractTables) rows(query string, args ...any) (out []map[string]any) {
	c.Helper()
	rows, err := c.db.QueryContext(c.Context(), query, args...)
	if err != nil {
		c.Fatal(query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	for err == nil && rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		err = rows.Scan(into...)
		row := map[string]any{}
		for i, name := range names {
			if n, ok := values[i].(int64); ok {
				values[i] = float64(n)
			}
			row[name] = values[i]
		}
		out = append(out, row)
	}
	if err != nil || rows.Err() != nil {
		c.Fatal(query, err, rows.Err())
	}
	return out
}

// asked are the JSON lines that a command prints, but for the last, which says how much is known.
func (c *contractTables) asked(args string) (out []map[string]any) {
	c.Helper()
	answer, _, _ := strings.Cut(answerOf(c.T, append(strings.Fields(args), "--json", "--data", c.data)...), "# stderr")
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	for _, line := range lines {
		var item map[string]any
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			c.Fatalf("%s: %v: %s", args, err, line)
		}
		if _, covers := item["coverage"]; covers && len(lines) > 1 && len(item) < 3 {
			continue
		}
		out = append(out, item)
	}
	return out
}

// equal compares what a command says with the rows of plain SQL, for the keys that the rows have.
func (c *contractTables) equal(what string, got, want []map[string]any) {
	c.Helper()
	if len(got) != len(want) || len(want) == 0 {
		c.Errorf("%s: %d items, and %d rows", what, len(got), len(want))
		return
	}
	for i := range want {
		for key, value := range want[i] {
			if text, ok := value.(string); ok && strings.HasPrefix(text, "{") {
				value = map[string]any{}
				_ = json.Unmarshal([]byte(text), &value)
			}
			if !alike(got[i][key], value) {
				c.Errorf("%s: item %d: %s is %v, and in SQL %v", what, i, key, got[i][key], value)
			}
		}
	}
}

// alike compares two values; numbers may differ in what a float64 cannot hold.
func alike(a, b any) bool {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok && ok2 {
		return x-y < 1e-5 && y-x < 1e-5
	}
	return reflect.DeepEqual(a, b)
}

// TestContract_CommandsEqualSQL compares the reads of the contract with plain SQL on its tables: snapshots, events, history, the profile and the classic
// report.
func TestContract_CommandsEqualSQL(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	record(t, dir, start)
	db, err := sql.Open("sqlite", filepath.Join(dir, "monitor.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := &contractTables{t, db, dir}
	for _, since := range []int64{start.Unix(), start.Unix() + 20, start.Unix() + 41} {
		from := fmt.Sprintf(" --since %d --limit 7", since)
		snapshots := c.rows(`SELECT id, timestamp, daemon_pid, system_memory_total_mb, system_memory_available_mb, system_memory_used_mb, load_avg_1, load_avg_5, load_avg_15,
			zombie_count, pressure_level FROM snapshots WHERE timestamp >= ? ORDER BY timestamp, id LIMIT 7`, since)
		got := c.asked("snapshots" + from)
		for i := range snapshots {
			processes := c.rows(`SELECT pid, ppid, command, state, cpu_percent, rss_mb, vms_mb, threads, open_fds, age_seconds, job_id, sheet_num, syscall_counts, syscall_time_pct
				FROM process_metrics WHERE snapshot_id = ? ORDER BY pid`, snapshots[i]["id"])
			delete(snapshots[i], "id")
			var have []map[string]any
			for _, p := range got[i]["processes"].([]any) {
				have = append(have, p.(map[string]any))
			}
			c.equal(fmt.Sprintf("processes of snapshot %d", i), have, processes)
		}
		c.equal("snapshots"+from, got, snapshots)
		c.equal("events"+from, c.asked("events"+from), c.rows(`SELECT timestamp, pid, event_type, exit_code, signal_num, job_id, sheet_num, coalesce(details, '') AS details
			FROM process_events WHERE timestamp >= ? ORDER BY timestamp, id LIMIT 7`, since))
	}
	for _, pid := range []int{3951, 4100, 3910} {
		args := fmt.Sprintf("history %d --limit 0 --since %d", pid, start.Unix())
		c.equal(args, c.asked(args), c.rows(`SELECT s.timestamp, m.cpu_percent, m.rss_mb, m.vms_mb, m.state, m.threads, m.open_fds FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id
			WHERE m.pid = ? AND s.timestamp >= ? ORDER BY s.timestamp`, pid, start.Unix()))
	}
	for _, job := range []string{"build-7", "agent-7f3"} {
		compareProfile(c, job)
	}
}

// compareProfile compares the profile and the classic report of a job with plain SQL. Of ends the kernel's own peak counts, and its CPU time; of what has not ended,
// the counters of the last sample.
func compareProfile(c *contractTables, job string) {
	c.Helper()
	want := c.rows(`SELECT ?1 AS job_id,
		max((SELECT max(rss_mb) FROM process_metrics WHERE job_id = ?1), coalesce((SELECT max(peak_rss_kib) / 1024.0 FROM process_events WHERE job_id = ?1), 0)) AS peak_rss_mb,
		(SELECT count(*) FROM process_events WHERE job_id = ?1 AND event_type = 'spawn') AS process_spawn_count,
		(SELECT count(DISTINCT pid) FROM (SELECT pid FROM process_metrics WHERE job_id = ?1 UNION SELECT pid FROM process_events WHERE job_id = ?1)) AS unique_pid_count`, job)
	sheets := c.rows(`SELECT CAST(sheet_num AS TEXT) AS sheet, max(rss_mb) AS peak, max(cpu_percent) AS cpu FROM (
		SELECT sheet_num, rss_mb, cpu_percent FROM process_metrics WHERE job_id = ?1 AND sheet_num IS NOT NULL
		UNION ALL SELECT sheet_num, peak_rss_kib / 1024.0, 0 FROM process_events WHERE job_id = ?1 AND sheet_num IS NOT NULL AND peak_rss_kib IS NOT NULL) GROUP BY sheet_num ORDER BY sheet_num`, job)
	got := c.asked("profile " + job)
	c.equal("profile "+job, got, want)
	metrics, _ := got[0]["sheet_metrics"].(map[string]any)
	if len(metrics) != len(sheets) {
		c.Errorf("profile %s has %d sheets, and SQL %d", job, len(metrics), len(sheets))
	}
	text := fmt.Sprintf("Resource Profile for job '%s':\n  Peak memory: %.1f MB\n  Process spawns: %.0f\n  Unique PIDs observed: %.0f\n", job, want[0]["peak_rss_mb"],
		want[0]["process_spawn_count"], want[0]["unique_pid_count"])
	for i, s := range sheets {
		if i == 0 {
			text += "\n  Per-sheet resource peaks:\n"
		}
		c.equal("sheet of "+job, []map[string]any{metrics[s["sheet"].(string)].(map[string]any)}, []map[string]any{{"peak_rss_mb": s["peak"], "max_cpu_pct": s["cpu"]}})
		text += fmt.Sprintf("    Sheet %s: peak RSS %.1f MB, max CPU %.0f%%\n", s["sheet"], s["peak"], s["cpu"])
	}
	for i, e := range c.rows(`SELECT pid, details, (SELECT count(*) FROM process_events WHERE job_id = ?1 AND event_type = 'oom') AS n FROM process_events
		WHERE job_id = ?1 AND event_type = 'oom' ORDER BY timestamp LIMIT 5`, job) {
		if i == 0 {
			text += fmt.Sprintf("\n  OOM events: %.0f\n", e["n"])
		}
		text += fmt.Sprintf("    PID %.0f: %s\n", e["pid"], e["details"])
	}
	exits := c.rows(`SELECT count(*) AS n FROM process_events WHERE job_id = ? AND event_type = 'exit'`, job)
	text += fmt.Sprintf("\n  Process lifecycle: %.0f spawns, %.0f exits\n", want[0]["process_spawn_count"], exits[0]["n"])
	if report := answerOf(c.T, "report", job, "--format", "classic", "--data", c.data); strings.Split(report, "# stderr")[0] != text {
		c.Errorf("the classic report of %s is\n%s\nand by SQL\n%s", job, report, text)
	}
}
