package schema

import (
	"bytes"
	"database/sql"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// contract is the tables that other programs read, by name, with the columns they name, as "name TYPE". The types of
// a view's columns are not declared: SQLite gives what the expression gives.
var contract = map[string][]string{
	"snapshots": {"id INTEGER", "timestamp REAL", "daemon_pid INTEGER",
		"system_memory_total_mb REAL", "system_memory_available_mb REAL", "system_memory_used_mb REAL", "daemon_rss_mb REAL",
		"child_count INTEGER", "zombie_count INTEGER", "load_avg_1 REAL", "load_avg_5 REAL", "load_avg_15 REAL", "gpu_count INTEGER",
		"gpu_utilization_pct TEXT", "gpu_memory_used_mb TEXT", "gpu_temperature TEXT",
		"pressure_level TEXT", "running_jobs INTEGER", "active_sheets INTEGER"},
	"process_metrics": {"id INTEGER", "snapshot_id INTEGER", "pid INTEGER", "ppid INTEGER", "command TEXT", "state TEXT",
		"cpu_percent REAL", "rss_mb REAL", "vms_mb REAL", "threads INTEGER", "open_fds INTEGER", "age_seconds REAL",
		"job_id TEXT", "sheet_num INTEGER", "syscall_counts TEXT", "syscall_time_pct TEXT"},
	"process_events": {"id INTEGER", "timestamp REAL", "pid INTEGER", "event_type TEXT", "exit_code INTEGER", "signal_num INTEGER",
		"job_id TEXT", "sheet_num INTEGER", "details TEXT"},
}

// accessPaths are the reads that must not look at rows they do not answer.
var accessPaths = []struct{ name, query string }{
	{"snapshots by timestamp", `SELECT * FROM snapshots WHERE timestamp >= 1.5 ORDER BY timestamp LIMIT 100`},
	{"snapshots between timestamps", `SELECT * FROM snapshots WHERE timestamp BETWEEN 1.5 AND 2.5 ORDER BY timestamp`},
	{"snapshot by id", `SELECT * FROM snapshots WHERE id = 7`},
	{"metrics by snapshot", `SELECT * FROM process_metrics WHERE snapshot_id = 7`},
	{"metrics by snapshot, in order of pid", `SELECT * FROM process_metrics WHERE snapshot_id = 7 ORDER BY pid`},
	{"metrics by snapshots", `SELECT * FROM process_metrics WHERE snapshot_id IN (7, 8, 9)`},
	{"metrics by pid", `SELECT * FROM process_metrics WHERE pid = 7`},
	{"metrics by pid since", `SELECT m.* FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id WHERE m.pid = 7 AND s.timestamp >= 1.5 ORDER BY s.timestamp`},
	{"metrics by job", `SELECT * FROM process_metrics WHERE job_id = 'j'`},
	{"a job's peak", `SELECT max(rss_mb) FROM process_metrics WHERE job_id = 'j'`},
	{"a job's pids", `SELECT count(DISTINCT pid) FROM process_metrics WHERE job_id = 'j'`},
	{"a job's steps", `SELECT sheet_num, max(rss_mb), max(cpu_percent) FROM process_metrics WHERE job_id = 'j' AND sheet_num IS NOT NULL GROUP BY sheet_num`},
	{"a job in time", `SELECT m.* FROM process_metrics m JOIN snapshots s ON m.snapshot_id = s.id WHERE m.job_id = 'j' ORDER BY s.timestamp`},
	{"events by timestamp", `SELECT * FROM process_events WHERE timestamp >= 1.5 ORDER BY timestamp LIMIT 100`},
	{"events by job", `SELECT * FROM process_events WHERE job_id = 'j'`},
	{"a job's spawns", `SELECT count(*) FROM process_events WHERE job_id = 'j' AND event_type = 'spawn'`},
	{"events by pid", `SELECT * FROM process_events WHERE pid = 7`},
}

func TestContract_Columns(t *testing.T) {
	conn, _ := migrated(t)
	for table, columns := range contract {
		kind := value[string](t, conn, `SELECT type FROM sqlite_schema WHERE name = ?`, table)
		for _, column := range columns {
			name, want, _ := strings.Cut(column, " ")
			t.Run(table+"."+name, func(t *testing.T) {
				if rows, err := conn.QueryContext(t.Context(), fmt.Sprintf("SELECT %s FROM %s", name, table)); err != nil {
					t.Fatal(err)
				} else {
					rows.Close()
				}
				// A name that is not there, in quotes, would be taken as a text: ask for it by the catalogue too.
				got := value[string](t, conn, `SELECT type FROM pragma_table_xinfo(?) WHERE name = ?`, table, name)
				if kind == "table" && got != want {
					t.Errorf("got type %q, want %s", got, want)
				}
			})
		}
	}
	for column, want := range map[string]int{"snapshots.timestamp": 1, "process_events.pid": 1, "process_events.timestamp": 1, "process_events.event_type": 1,
		"snapshots.daemon_pid": 0, "process_events.exit_code": 0, "process_events.job_id": 0} {
		table, name, _ := strings.Cut(column, ".")
		if got := value[int](t, conn, `SELECT "notnull" FROM pragma_table_info(?) WHERE name = ?`, table, name); got != want {
			t.Errorf("%s: got NOT NULL %d, want %d", column, got, want)
		}
	}
}

// wantSearches fails the test unless a plan finds every row by an index or by its primary key.
func wantSearches(t *testing.T, plan []string) {
	t.Helper()
	searches := 0
	for _, step := range plan {
		switch {
		case strings.Contains(step, "SCAN"):
			t.Errorf("got %q in\n%s, want SEARCH alone", step, strings.Join(plan, "\n"))
		case strings.Contains(step, "SEARCH"):
			searches++
			if !strings.Contains(step, " USING ") || strings.Contains(step, "AUTOMATIC") {
				t.Errorf("got %q, want an index or a primary key", step)
			}
		}
	}
	if searches == 0 {
		t.Errorf("got plan\n%s, want a SEARCH", strings.Join(plan, "\n"))
	}
}

func TestContract_AccessPaths(t *testing.T) {
	conn, _ := migrated(t)
	for _, path := range accessPaths {
		t.Run(path.name, func(t *testing.T) {
			wantSearches(t, planOf(t, conn, path.query))
		})
	}
}

// The SQLite of a distribution is older than the driver's: it must read the tables, and by the same paths.
func TestContract_CommandLineProgram(t *testing.T) {
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("SKIPPED: there is no sqlite3 program, so an older SQLite was not tried")
	}
	conn, file := migrated(t)
	insertWorld(t, conn)
	ask := func(t *testing.T, query string) string {
		t.Helper()
		cmd := exec.Command(program, "-batch", "-readonly", file, query)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 {
			t.Fatalf("%s: %v %s", query, err, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	t.Logf("sqlite3 %s", ask(t, `SELECT sqlite_version()`))
	for _, path := range accessPaths {
		t.Run(path.name, func(t *testing.T) {
			wantSearches(t, strings.Split(ask(t, `EXPLAIN QUERY PLAN `+path.query), "\n"))
			ask(t, path.query)
		})
	}
	for table, columns := range contract {
		var names []string
		for _, column := range columns {
			name, _, _ := strings.Cut(column, " ")
			names = append(names, name)
		}
		query := fmt.Sprintf("SELECT %s FROM %s", strings.Join(names, ", "), table)
		if got, want := len(strings.Split(ask(t, query), "\n")), value[int](t, conn, `SELECT count(*) FROM `+table); got != want {
			t.Errorf("%s: got %d rows, want %d", table, got, want)
		}
	}
}

// insertWorld fills the tables by hand: two hosts, three snapshots, a process that is still there, one that has ended,
// one of the same pid after it, and one of the same pid on the other host.
func insertWorld(t *testing.T, conn *sql.Conn) {
	t.Helper()
	for id, name := range map[int]string{1: "a", 2: "b"} {
		insert(t, conn, "hosts", map[string]any{"id": id, "name": name})
	}
	for _, s := range []struct{ id, host, boot int64 }{{10, 1, 100e9}, {11, 2, 500e9}, {12, 1, 105_500_000_000}} {
		insert(t, conn, "snapshots", map[string]any{"id": s.id, "timestamp": 1_795_400_000 + float64(s.id), "host_id": s.host, "boot_id": "b",
			"boot_ns": s.boot, "instance": "i", "seq": s.id})
	}
	const maxPID = 1<<22 - 1
	processes := []map[string]any{
		{"id": 1, "host_id": 1, "pid": 1, "start_ticks": 9, "command": "/sbin/init", "first_snapshot": 10, "last_snapshot": OpenEnded},
		{"id": 2, "host_id": 1, "pid": maxPID, "start_ticks": 9_950, "ppid": 1, "command": "make", "job_id": "j", "sheet_num": 3, "uid": 1000,
			"first_snapshot": 10, "last_snapshot": 10},
		{"id": 3, "host_id": 1, "pid": maxPID, "start_ticks": 10_500, "ppid": 1, "command": "cc", "job_id": "j", "sheet_num": 4,
			"first_snapshot": 12, "last_snapshot": OpenEnded},
		{"id": 4, "host_id": 2, "pid": 1, "start_ticks": 5, "command": "/sbin/init", "first_snapshot": 11, "last_snapshot": OpenEnded},
	}
	for _, p := range processes {
		insert(t, conn, "processes", p)
	}
	samples := []map[string]any{
		{"snapshot_id": 10, "process_id": 1}, // knows nothing
		{"snapshot_id": 10, "process_id": 2, "state": "R", "cpu_permille": 1999, "rss_kib": 1536, "vms_kib": 2_097_153, "threads": 4, "open_fds": 0,
			"cpu_ms": 70, "syscall_counts": `{"read":3}`, "syscall_time_pct": `{"read":51.25}`},
		{"snapshot_id": 11, "process_id": 4, "state": "S", "cpu_permille": 0},
		{"snapshot_id": 12, "process_id": 1, "state": "S", "cpu_permille": 5},
		{"snapshot_id": 12, "process_id": 3, "state": "Z"},
	}
	for _, s := range samples {
		insertSample(t, conn, s)
	}
	insert(t, conn, "process_events", map[string]any{"id": 1, "timestamp": 1_795_400_010.5, "pid": maxPID, "event_type": "spawn", "job_id": "j",
		"host_id": 1, "boot_id": "b", "source": "proc-diff", "instance": "i"})
}

// insertSample inserts a sample under the id that its snapshot and its process give it.
func insertSample(t *testing.T, conn *sql.Conn, sample map[string]any) {
	t.Helper()
	pid := value[int](t, conn, `SELECT pid FROM processes WHERE id = ?`, sample["process_id"])
	full := map[string]any{"id": SampleID(int64(sample["snapshot_id"].(int)), pid)}
	for name, v := range sample {
		if name != "snapshot_id" {
			full[name] = v
		}
	}
	insert(t, conn, "samples", full)
}

func TestProcessMetrics_Units(t *testing.T) {
	conn, _ := migrated(t)
	insertWorld(t, conn)
	type row struct {
		id, snapshot, pid                 int64
		ppid, threads, fds, sheet, uid    sql.NullInt64
		command, state, counts, times     string
		job                               sql.NullString
		cpu, rss, vms                     sql.NullFloat64
		age                               float64
		idType, ageType, cpuType, rssType string
	}
	var got []row
	rows, err := conn.QueryContext(t.Context(), `SELECT id, snapshot_id, pid, ppid, threads, open_fds, sheet_num, uid, command, state, syscall_counts,
		syscall_time_pct, job_id, cpu_percent, rss_mb, vms_mb, age_seconds, typeof(id), typeof(age_seconds), typeof(cpu_percent), typeof(rss_mb)
		FROM process_metrics ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.snapshot, &r.pid, &r.ppid, &r.threads, &r.fds, &r.sheet, &r.uid, &r.command, &r.state, &r.counts, &r.times,
			&r.job, &r.cpu, &r.rss, &r.vms, &r.age, &r.idType, &r.ageType, &r.cpuType, &r.rssType); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	some := func(v int64) sql.NullInt64 { return sql.NullInt64{Int64: v, Valid: true} }
	real := func(v float64) sql.NullFloat64 { return sql.NullFloat64{Float64: v, Valid: true} }
	job := sql.NullString{String: "j", Valid: true}
	const maxPID = 1<<22 - 1
	want := []row{
		{id: 10<<22 | 1, snapshot: 10, pid: 1, command: "/sbin/init", state: "S", counts: "{}", times: "{}", age: 99.91,
			idType: "integer", ageType: "real", cpuType: "null", rssType: "null"},
		{id: 10<<22 | maxPID, snapshot: 10, pid: maxPID, ppid: some(1), threads: some(4), fds: some(0), sheet: some(3), uid: some(1000), command: "make",
			state: "R", counts: `{"read":3}`, times: `{"read":51.25}`, job: job, cpu: real(199.9), rss: real(1.5), vms: real(2048.0009765625), age: 0.5,
			idType: "integer", ageType: "real", cpuType: "real", rssType: "real"},
		{id: 11<<22 | 1, snapshot: 11, pid: 1, command: "/sbin/init", state: "S", counts: "{}", times: "{}", cpu: real(0), age: 499.95,
			idType: "integer", ageType: "real", cpuType: "real", rssType: "null"},
		{id: 12<<22 | 1, snapshot: 12, pid: 1, command: "/sbin/init", state: "S", counts: "{}", times: "{}", cpu: real(0.5), age: 105.41,
			idType: "integer", ageType: "real", cpuType: "real", rssType: "null"},
		{id: 12<<22 | maxPID, snapshot: 12, pid: maxPID, ppid: some(1), sheet: some(4), command: "cc", state: "Z", counts: "{}", times: "{}", job: job, age: 0.5,
			idType: "integer", ageType: "real", cpuType: "null", rssType: "null"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestProcessMetrics_Lookups(t *testing.T) {
	conn, _ := migrated(t)
	insertWorld(t, conn)
	for where, want := range map[string]string{
		"snapshot_id = 10": "init make",
		"snapshot_id = 11": "init",
		"pid = 1":          "init init init",
		"pid = 4194303":    "make cc",
		"job_id = 'j'":     "make cc",
		"job_id IS NULL":   "init init init",
		"host_id = 2":      "init",
		"pid = 2":          "",
	} {
		t.Run(where, func(t *testing.T) {
			got := value[string](t, conn, `SELECT coalesce(group_concat(replace(command, '/sbin/', ''), ' '), '') FROM
				(SELECT command FROM process_metrics WHERE `+where+` ORDER BY id)`)
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// The id of a row of process_metrics is its own, up to the largest snapshot id and pid.
func TestProcessMetrics_IDIsUnique(t *testing.T) {
	conn, _ := migrated(t)
	pids := []int64{1, 2, 1 << 21, 1<<22 - 2, 1<<22 - 1}
	ids := []int{1, 2, 3, 1 << 20, 1<<20 + 1, 1<<41 - 2, 1<<41 - 1}
	for i, pid := range pids {
		insert(t, conn, "processes", map[string]any{"id": i + 1, "host_id": 1, "pid": pid, "first_snapshot": 1, "last_snapshot": OpenEnded})
	}
	for _, id := range ids {
		insert(t, conn, "snapshots", map[string]any{"id": id, "host_id": 1})
		for i := range pids {
			insertSample(t, conn, map[string]any{"snapshot_id": id, "process_id": i + 1})
		}
	}
	rows := len(pids) * len(ids)
	if got := value[int](t, conn, `SELECT count(*) FROM process_metrics`); got != rows {
		t.Errorf("got %d rows, want %d", got, rows)
	}
	if got := value[int](t, conn, `SELECT count(DISTINCT id) FROM process_metrics`); got != rows {
		t.Errorf("got %d ids of %d rows, want each its own", got, rows)
	}
	if got := value[int64](t, conn, `SELECT max(id) FROM process_metrics`); got != math.MaxInt64 {
		t.Errorf("got largest id %d, want %d", got, int64(math.MaxInt64))
	}
	if got := value[int](t, conn, `SELECT count(*) FROM process_metrics WHERE id < 0`); got != 0 {
		t.Errorf("got %d negative ids, want none", got)
	}
}
