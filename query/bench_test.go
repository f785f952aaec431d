package query_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
)

// The generated recording: a day of one host, a snapshot every five seconds. The last hundred snapshots hold
// pageProcesses each; the others as many as it takes to make benchRows samples in all.
const (
	daySnapshots  = 17280
	pageSnapshots = 100
	pageProcesses = 200
	defaultRows   = 1_000_000
	longPID       = 1001 // is there all day
	daySeconds    = 86400
)

var (
	recordingOnce sync.Once
	recordingDir  string // removed by TestMain
	recordingPath string
)

// generated is the database of the benchmarks, made once a run. PROCTAPE_BENCH_ROWS says how many samples it holds.
func generated(b *testing.B) *query.DB {
	b.Helper()
	recordingOnce.Do(func() {
		rows := defaultRows
		if s := os.Getenv("PROCTAPE_BENCH_ROWS"); s != "" {
			var err error
			if rows, err = strconv.Atoi(s); err != nil {
				b.Fatalf("PROCTAPE_BENCH_ROWS: %v", err)
			}
		}
		var err error
		if recordingDir, err = os.MkdirTemp("", "proctape-bench"); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		path := filepath.Join(recordingDir, "run.db")
		generate(newRecordingAt(b, path), rows)
		recordingPath = path
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Printf("generated %d rows, %d MB, in %s\n", rows, info.Size()>>20, time.Since(began).Round(time.Millisecond))
	})
	if recordingPath == "" {
		b.Fatal("the recording could not be generated")
	}
	db, err := query.Open(b.Context(), recordingPath)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

// generate fills the tables inside SQLite: nothing is faster.
func generate(r *recording, rows int) {
	small := max(1, (rows-pageSnapshots*pageProcesses)/(daySnapshots-pageSnapshots))
	const lastPage = daySnapshots - pageSnapshots + 1
	r.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO snapshots(id, timestamp, daemon_pid, system_memory_total_mb, system_memory_available_mb, system_memory_used_mb,
			daemon_rss_mb, child_count, zombie_count, load_avg_1, load_avg_5, load_avg_15, gpu_count, gpu_utilization_pct,
			gpu_memory_used_mb, gpu_temperature, pressure_level, running_jobs, active_sheets, host_id, boot_id, boot_ns, wall_ns,
			instance, seq, tick, interval_ns, cpus, conductor_uptime_seconds, pressure, capabilities)
		SELECT i, 1700000000 + i * 5.0, 77, 64000.5, 32000.25, 32000.25, 20.5, 200, 0, 1.5, 1.25, 1, 0, '[]', '[]', '[]', 'none', 1, 1, 1,
			'6f1d2b9e-0000-4000-8000-0123456789ab', i * 5000000000, (1700000000 + i * 5) * 1000000000, '0123456789abcdef0123456789abcdef', i, i, 5000000000, 8, i * 5.0,
			'{"cpu_some":0.5,"memory_some":0,"memory_full":0,"io_some":0,"io_full":0}', '["proc"]' FROM n`, daySnapshots)
	// Half of the processes belong to a job. Those of the last page that the day does not have begin with the page.
	r.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?1)
		INSERT INTO processes(id, host_id, boot_id, pid, start_ticks, ppid, command, job_id, sheet_num, uid, first_snapshot, last_snapshot, cpu_ms)
		SELECT i, 1, '6f1d2b9e-0000-4000-8000-0123456789ab', 1000 + i, 100, 1, '/usr/lib/some/program --flag=' || i || ' --another /and/a/path',
			CASE WHEN i % 2 THEN 'build-' || (i % 10) END, CASE WHEN i % 2 THEN i % 7 END, 1000,
			CASE WHEN i <= ?2 THEN 1 ELSE ?3 END, CASE WHEN i > ?4 THEN ?3 - 1 ELSE 4611686018427387904 END, 100000 FROM n`,
		max(small, pageProcesses), small, lastPage, pageProcesses)
	r.exec(`INSERT INTO samples(id, process_id, state, cpu_permille, rss_kib, vms_kib, threads, open_fds, cpu_ms, syscall_counts, syscall_time_pct)
		SELECT s.id << 22 | p.pid, p.id, CASE WHEN p.id % 50 = 0 THEN 'R' END, (s.id * 7 + p.id * 13) % 1000,
			40000 + (s.id * 31 + p.id * 17) % 10000, 900000 + p.id, 1 + p.id % 8, 10 + p.id % 100, s.id * 5 + p.id, NULL, NULL
		FROM snapshots s CROSS JOIN processes p WHERE p.first_snapshot <= s.id AND s.id <= p.last_snapshot ORDER BY s.id, p.id`)
	r.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000)
		INSERT INTO process_events(id, timestamp, pid, event_type, signal_num, job_id, sheet_num, details, host_id, boot_id, boot_ns,
			start_ticks, ppid, command, source, instance, seq)
		SELECT i, 1700000000 + i * 0.864, 100000 + i, CASE i % 20 WHEN 0 THEN 'signal' WHEN 1 THEN 'oom' ELSE CASE WHEN i % 2 THEN 'spawn' ELSE 'exit' END END,
			NULL, 'build-' || (i % 10), i % 7, '', 1, 'b', i, i, 1, 'cc -c file' || i || '.c', 'proc-diff', 'i', i FROM n`)
	r.exec(`INSERT INTO jobs(host_id, job_id, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids, spawns, exits)
		SELECT DISTINCT 1, job_id, 1700000000, 1700086400, 1000, 50000, 999, 123456, 50, 5000, 5000 FROM process_events`)
	r.exec(`INSERT INTO job_sheets(host_id, job_id, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms)
		SELECT DISTINCT 1, job_id, sheet_num, 50000, 999, 1234 FROM process_events`)
	r.exec(`INSERT INTO job_syscalls(host_id, first_ns, job_id, name, time_pct_x100, rank)
		SELECT 1, 1, job_id, 'call' || sheet_num, sheet_num * 100, sheet_num FROM job_sheets`)
	r.exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
}

func BenchmarkSnapshots_Page(b *testing.B) {
	db := generated(b)
	b.ReportAllocs()
	for b.Loop() {
		snaps, err := query.Snapshots(b.Context(), db, query.Range{Newest: true, Limit: pageSnapshots})
		if err != nil || len(snaps) != pageSnapshots || len(snaps[0].Processes) != pageProcesses {
			b.Fatalf("got %d snapshots, %v", len(snaps), err)
		}
	}
	milliseconds(b)
}

func BenchmarkSnapshots_PageOfHost(b *testing.B) {
	db := generated(b)
	b.ReportAllocs()
	for b.Loop() {
		snaps, err := query.Snapshots(b.Context(), db, query.Range{Newest: true, Limit: pageSnapshots, Host: "alpha"})
		if err != nil || len(snaps) != pageSnapshots {
			b.Fatalf("got %d snapshots, %v", len(snaps), err)
		}
	}
	milliseconds(b)
}

func BenchmarkHistory_Day(b *testing.B) {
	db := generated(b)
	b.ReportAllocs()
	for b.Loop() {
		points, err := query.History(b.Context(), db, longPID, query.Range{})
		if err != nil || len(points) != daySnapshots {
			b.Fatalf("got %d points, %v", len(points), err)
		}
	}
	milliseconds(b)
}

func BenchmarkHistory_LastHundred(b *testing.B) {
	db := generated(b)
	b.ReportAllocs()
	for b.Loop() {
		points, err := query.History(b.Context(), db, longPID, query.Range{Newest: true, Limit: 100})
		if err != nil || len(points) != 100 {
			b.Fatalf("got %d points, %v", len(points), err)
		}
	}
	milliseconds(b)
}

func BenchmarkEvents_Page(b *testing.B) {
	for name, f := range map[string]query.Filter{
		"all": {}, "job": {Job: "build-4"}, "signals of a job": {Job: "build-4", Types: []string{"signal", "kill"}}, "host": {Range: query.Range{Host: "alpha"}},
	} {
		b.Run(name, func(b *testing.B) {
			db := generated(b)
			f.Newest, f.Limit = true, 100
			for b.Loop() {
				events, err := query.Events(b.Context(), db, f)
				if err != nil || len(events) != 100 && f.Types == nil {
					b.Fatalf("got %d events, %v", len(events), err)
				}
			}
			milliseconds(b)
		})
	}
}

func BenchmarkProfile(b *testing.B) {
	db := generated(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := query.JobProfile(b.Context(), db, query.JobFilter{Name: "build-5"}); err != nil {
			b.Fatal(err)
		}
	}
	milliseconds(b)
}

func BenchmarkReport(b *testing.B) {
	db := generated(b)
	now := time.Unix(1700000000+daySeconds, 0)
	b.ReportAllocs()
	for b.Loop() {
		r, err := report.Read(b.Context(), db, query.JobFilter{Name: "build-5"}, now)
		if err != nil || r.Profile == nil || r.Counts["spawn"] == 0 {
			b.Fatalf("got %v, %v", r, err)
		}
	}
	milliseconds(b)
}

// milliseconds reports the time of one read in the unit of its bar.
func milliseconds(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
}

// BenchmarkTopOf_Day is who used most in a day.
func BenchmarkTopOf_Day(b *testing.B) {
	db := generated(b)
	q := query.TopQuery{By: "process", Sort: "mem"}
	q.Since, q.Until = 1.7e9, 1.7e9+daySeconds+10
	for b.Loop() {
		top, err := query.TopOf(b.Context(), db, q)
		if err != nil || top.Lines == 0 {
			b.Fatal(err, top)
		}
	}
}

// BenchmarkTopAt is who used most at noon.
func BenchmarkTopAt(b *testing.B) {
	db := generated(b)
	for b.Loop() {
		top, err := query.TopAt(b.Context(), db, 1.7e9+daySeconds/2, query.TopQuery{By: "process", Sort: "cpu"})
		if err != nil || top.Lines == 0 {
			b.Fatal(err, top)
		}
	}
}

// BenchmarkEventSeq_First is the first of all events.
func BenchmarkEventSeq_First(b *testing.B) {
	db := generated(b)
	for b.Loop() {
		for e, err := range query.EventSeq(b.Context(), db, query.Filter{}) {
			if err != nil || e.ID != 1 {
				b.Fatal(err, e)
			}
			break
		}
	}
}
