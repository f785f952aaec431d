package report_test

import (
	"database/sql"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// row is a table's row, by column.
type row map[string]any

// with is the row with some columns changed.
func (r row) with(changes row) row {
	out := maps.Clone(r)
	maps.Copy(out, changes)
	return out
}

// recording is a database with our tables and the host "alpha", whose rows a test inserts itself.
type recording struct {
	testing.TB
	path string
	db   *sql.DB
}

func newRecording(t testing.TB) *recording {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.db")
	db, err := sql.Open("sqlite", schema.WriterDSN(path)+"&_pragma=synchronous(OFF)") // nobody cuts the power
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := schema.Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	r := &recording{TB: t, path: path, db: db}
	r.insert("hosts", row{"id": 1, "name": "alpha"})
	return r
}

func (r *recording) open() *query.DB {
	r.Helper()
	db, err := query.Open(r.Context(), r.path)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { db.Close() })
	return db
}

func (r *recording) exec(stmt string, args ...any) {
	r.Helper()
	if _, err := r.db.ExecContext(r.Context(), stmt, args...); err != nil {
		r.Fatalf("%s: %v", stmt, err)
	}
}

func (r *recording) insert(table string, values row) {
	r.Helper()
	columns := slices.Sorted(maps.Keys(values))
	args := make([]any, len(columns))
	for i, c := range columns {
		args[i] = values[c]
	}
	r.exec(`INSERT INTO `+table+`(`+strings.Join(columns, ",")+`) VALUES (?`+strings.Repeat(",?", len(columns)-1)+`)`, args...)
}

func (r *recording) event(id int64, timestamp float64, kind string, changes row) {
	r.Helper()
	r.insert("process_events", row{
		"id": id, "timestamp": timestamp, "pid": 42, "event_type": kind, "host_id": 1, "boot_id": "boot-1", "boot_ns": 0, "start_ticks": 5,
		"instance": "00", "seq": id, "source": "scan",
	}.with(changes))
}

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
