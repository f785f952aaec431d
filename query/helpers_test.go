package query_test

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if recordingDir != "" {
		os.RemoveAll(recordingDir)
	}
	if code == 0 {
		if err := goleak.Find(logtest.Singletons()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// row is a table's row, by column.
type row map[string]any

// with is the row with some columns changed.
func (r row) with(changes row) row {
	out := maps.Clone(r)
	maps.Copy(out, changes)
	return out
}

// recording is a database with our tables, whose rows a test inserts itself.
type recording struct {
	testing.TB
	path  string
	db    *sql.DB
	zeros map[string]row // by table; see required
}

// newRecording makes a database with the host "alpha", which has id 1.
func newRecording(t testing.TB) *recording {
	t.Helper()
	return newRecordingAt(t, filepath.Join(t.TempDir(), "run.db"))
}

func newRecordingAt(t testing.TB, path string) *recording {
	t.Helper()
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
	r := &recording{TB: t, path: path, db: db, zeros: map[string]row{}}
	r.insert("hosts", row{"id": 1, "name": "alpha"})
	return r
}

func (r *recording) open() *query.DB {
	r.Helper()
	db, err := query.Open(r.Context(), r.path)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := db.Close(); err != nil {
			r.Errorf("close: %v", err)
		}
	})
	return db
}

func (r *recording) exec(stmt string, args ...any) {
	r.Helper()
	if _, err := r.db.ExecContext(r.Context(), stmt, args...); err != nil {
		r.Fatalf("%s: %v", stmt, err)
	}
}

// insert inserts a row. Columns that must have a value, and that the row does not name, get 0.
func (r *recording) insert(table string, values row) {
	r.Helper()
	values = r.required(table).with(values)
	columns := slices.Sorted(maps.Keys(values))
	args := make([]any, len(columns))
	for i, c := range columns {
		args[i] = values[c]
	}
	r.exec(`INSERT INTO `+table+`(`+strings.Join(columns, ",")+`) VALUES (?`+strings.Repeat(",?", len(columns)-1)+`)`, args...)
}

// required is a row with 0 in every column that must have a value and has no default.
func (r *recording) required(table string) row {
	r.Helper()
	if r.zeros[table] != nil {
		return r.zeros[table]
	}
	rows, err := r.db.QueryContext(r.Context(), `SELECT name FROM pragma_table_info(?) WHERE "notnull" AND dflt_value IS NULL`, table)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	zero := row{}
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			r.Fatal(err)
		}
		zero[column] = 0
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	r.zeros[table] = zero
	return zero
}

// boot is the boot clock of every snapshot that snapshot inserts, in seconds.
const boot = 1000

// snapshot inserts a snapshot in which every column has a value.
func (r *recording) snapshot(id int64, timestamp float64, changes row) {
	r.Helper()
	r.insert("snapshots", row{
		"id": id, "timestamp": timestamp, "daemon_pid": 77, "system_memory_total_mb": 2048.0, "system_memory_available_mb": 512.5,
		"system_memory_used_mb": 1535.5, "daemon_rss_mb": 12.25, "child_count": 1, "zombie_count": 1, "load_avg_1": 0.5,
		"load_avg_5": 0.25, "load_avg_15": 0.125, "gpu_count": 0, "gpu_utilization_pct": "[]", "gpu_memory_used_mb": "[]",
		"gpu_temperature": "[]", "pressure_level": "low", "running_jobs": 3, "active_sheets": 4, "host_id": 1, "boot_id": "boot-1",
		"boot_ns": int64(boot * 1e9), "cpus": 8, "partial": 1, "hidden_count": 6,
		"conductor_uptime_seconds": 9.5, "zombie_pids": "[31]",
	}.with(changes))
}

// process inserts a process that is in every snapshot from first on.
func (r *recording) process(id, pid, first int64, changes row) {
	r.Helper()
	r.insert("processes", row{
		"id": id, "host_id": 1, "boot_id": "boot-1", "pid": pid, "start_ticks": 5000, "ppid": 1, "command": "sleep 1",
		"first_snapshot": first, "last_snapshot": int64(schema.OpenEnded), "cpu_ms": 0,
	}.with(changes))
}

// pidOf is the pid of a row of processes; 0 when there is none.
func (r *recording) pidOf(process int64) (pid int) {
	r.Helper()
	if err := r.db.QueryRowContext(r.Context(), `SELECT coalesce((SELECT pid FROM processes WHERE id = ?), 0)`, process).Scan(&pid); err != nil {
		r.Fatal(err)
	}
	return pid
}

// sample inserts a process's part of a snapshot, in which every column has a value.
func (r *recording) sample(snapshot, process int64, changes row) {
	r.Helper()
	r.insert("samples", row{
		"id": schema.SampleID(snapshot, r.pidOf(process)), "process_id": process, "state": "R", "cpu_permille": 853, "rss_kib": 306688, "vms_kib": 1,
		"threads": 7, "open_fds": 9, "cpu_ms": 1234, "syscall_counts": `{"read":2}`, "syscall_time_pct": `{"read":1.5}`,
	}.with(changes))
}

func (r *recording) event(id int64, timestamp float64, kind string, changes row) {
	r.Helper()
	r.insert("process_events", row{
		"id": id, "timestamp": timestamp, "pid": 42, "event_type": kind, "host_id": 1, "boot_id": "boot-1", "start_ticks": 5,
		"source": "proc-diff",
	}.with(changes))
}

func (r *recording) execution(id int64, timestamp float64, changes row) {
	r.Helper()
	r.insert("process_execs", row{
		"id": id, "timestamp": timestamp, "pid": 42, "host_id": 1, "boot_id": "boot-1", "start_ticks": 5, "source": "connector",
	}.with(changes))
}

func pointer[T any](v T) *T { return &v }

// ids are what f says of every item.
func ids[T, K any](items []T, f func(T) K) []K {
	out := make([]K, len(items))
	for i := range items {
		out[i] = f(items[i])
	}
	return out
}
