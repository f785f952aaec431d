package query_test

import (
	"database/sql"
	"os"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/why"
	"github.com/proctape/proctape/schema"
)

// busiest is what a recording has most of.
type busiest struct {
	host     string
	pid      int64 // of the process with the most samples of a host
	samples  int
	job      string
	pageEnds float64 // when the host's last snapshot was made
}

// BenchmarkRecorded reads the recording that PROCTAPE_BENCH_DB names, to which a recorder may be writing meanwhile.
func BenchmarkRecorded(b *testing.B) {
	path := os.Getenv("PROCTAPE_BENCH_DB")
	if path == "" {
		b.Skip("SKIPPED: PROCTAPE_BENCH_DB names no recording")
	}
	most := lookInto(b, path)
	db, err := query.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	read := func(name string, f func() (int, error), want int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if n, err := f(); err != nil || n != want {
					b.Fatalf("got %d, %v, want %d", n, err, want)
				}
			}
			milliseconds(b)
		})
	}
	read("profile", func() (int, error) {
		p, err := query.JobProfile(b.Context(), db, query.JobFilter{Name: most.job})
		if err != nil || p.PIDs == 0 {
			return 0, err
		}
		return 1, nil
	}, 1)
	read("report", func() (int, error) {
		r, err := report.Read(b.Context(), db, query.JobFilter{Name: most.job}, time.Unix(int64(most.pageEnds), 0))
		if err != nil || r.Profile == nil {
			return 0, err
		}
		return 1, nil
	}, 1)
	read("run report", func() (int, error) {
		_, err := report.ReadRun(b.Context(), db, query.JobFilter{Name: most.job}, report.Newest, time.Unix(int64(most.pageEnds), 0))
		return 1, err
	}, 1)
	read("why", func() (int, error) {
		_, err := why.Process(b.Context(), db, query.Identity{Host: most.host, PID: most.pid}, 0)
		return 1, err
	}, 1)
	top := query.TopQuery{By: "process", Sort: "cpu"}
	top.Host = most.host
	read("top at", func() (int, error) {
		t, err := query.TopAt(b.Context(), db, most.pageEnds-60, top)
		return min(1, len(t.Rows)), err
	}, 1)
	top.Since, top.Until = most.pageEnds-86_400, most.pageEnds
	read("top over a day", func() (int, error) {
		t, err := query.TopOf(b.Context(), db, top)
		return min(1, len(t.Rows)), err
	}, 1)
	read("process", func() (int, error) {
		points, err := query.History(b.Context(), db, most.pid, query.Range{Host: most.host})
		return len(points), err
	}, most.samples)
	read("process, newest 100", func() (int, error) {
		points, err := query.History(b.Context(), db, most.pid, query.Range{Host: most.host, Newest: true, Limit: 100})
		return len(points), err
	}, 100)
	read("page", func() (int, error) {
		snaps, err := query.Snapshots(b.Context(), db, query.Range{Host: most.host, Newest: true, Limit: pageSnapshots})
		if err != nil || len(snaps) == 0 || len(snaps[0].Processes) == 0 {
			return 0, err
		}
		return len(snaps), nil
	}, pageSnapshots)
}

// lookInto finds the busiest of a simulated recording.
func lookInto(b *testing.B, path string) busiest {
	b.Helper()
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var m busiest
	err = db.QueryRowContext(b.Context(), `SELECT name, (SELECT max(timestamp) FROM snapshots WHERE host_id = hosts.id) FROM hosts
		WHERE name LIKE 'sim-%' ORDER BY name LIMIT 1`).Scan(&m.host, &m.pageEnds)
	if err != nil {
		b.Fatal("find the host: ", err)
	}
	// The process that was there from the first snapshot on and has the lowest pid is one that never ends.
	err = db.QueryRowContext(b.Context(), `SELECT min(pid) FROM processes WHERE host_id = (SELECT id FROM hosts WHERE name = ?1) AND first_snapshot =
		(SELECT min(id) FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name = ?1))`, m.host).Scan(&m.pid)
	if err != nil {
		b.Fatal("find the process: ", err)
	}
	err = db.QueryRowContext(b.Context(), `SELECT count(*) FROM process_metrics p JOIN hosts h ON h.id = p.host_id WHERE h.name = ? AND p.pid = ?`, m.host, m.pid).Scan(&m.samples)
	if err != nil {
		b.Fatal("count its samples: ", err)
	}
	if err := db.QueryRowContext(b.Context(), `SELECT job_id FROM jobs ORDER BY samples DESC LIMIT 1`).Scan(&m.job); err != nil {
		b.Fatal("find the job: ", err)
	}
	return m
}
