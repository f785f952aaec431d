package query_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// nightly inserts a name that hosts alpha (1) and beta (2) have as their own, and that the fleet has on beta and gamma (3).
func nightly(t *testing.T) *query.DB {
	r := newRecording(t)
	for id, name := range []string{2: "beta", 3: "gamma", 4: schema.Fleet} {
		if name != "" {
			r.insert("hosts", row{"id": id, "name": name})
		}
	}
	for i, c := range []row{
		{"host_id": 1, "status": "done", "exit_code": 0, "peak_rss_kib": 1024, "cpu_ms": 1001, "unique_pids": 2, "spawns": 1},
		{"host_id": 2, "peak_rss_kib": 4096, "cpu_ms": 10, "unique_pids": 1, "spawns": 2},
		{"host_id": 2, "fleet": 1, "peak_rss_kib": 2048, "cpu_ms": 20, "unique_pids": 2, "spawns": 4},
		{"host_id": 3, "fleet": 1, "peak_rss_kib": 3072, "cpu_ms": 30, "unique_pids": 1, "spawns": 8},
		{"host_id": 4, "fleet": 1, "status": "running"},
	} {
		r.insert("jobs", c.with(row{"job_id": "nightly", "first_seen": 100.0 + float64(i), "last_seen": 200.0 - float64(i)}))
	}
	for _, pid := range [][3]int{{1, 0, 5}, {1, 0, 6}, {2, 0, 5}, {2, 1, 5}, {2, 1, 7}, {3, 1, 7}} {
		r.insert("job_pids", row{"job_id": "nightly", "host_id": pid[0], "fleet": pid[1], "pid": pid[2]})
	}
	for i, host := range []int{3, 2} {
		r.insert("job_sheets", row{"job_id": "nightly", "host_id": host, "fleet": 1, "sheet_num": 1, "peak_rss_kib": 1024 * host, "cpu_ms": host})
		r.insert("job_syscalls", row{"job_id": "nightly", "host_id": host, "fleet": 1, "name": "read", "time_pct_x100": 100, "first_ns": 9 - i, "rank": 0})
	}
	return r.open()
}

// By its bare name a job is all that hosts, and the fleet, have under it: sums, and each pid once.
func TestJobProfile_Scopes(t *testing.T) {
	db := nightly(t)
	for _, c := range []struct {
		host, scopes, status string
		rss, cpu             float64
		spawns, pids         int64
		sheet                float64
	}{
		{"", "fleet[beta gamma] alpha[alpha] beta[beta]", "", 4, 1.061, 15, 3, 3},
		{"alpha", "alpha[alpha]", "done", 1, 1.001, 1, 2, 0},
		{"beta", "fleet[beta] beta[beta]", "", 4, 0.030, 6, 2, 2},
		{"gamma", "fleet[gamma]", "running", 3, 0.030, 8, 1, 3},
	} {
		p, err := query.JobProfile(t.Context(), db, query.JobFilter{Name: "nightly", Host: c.host})
		if err != nil {
			t.Fatal(err)
		}
		var scopes, status string
		for _, s := range p.Scopes {
			name := s.Host
			if s.Fleet {
				name = "fleet"
			}
			scopes += fmt.Sprint(" ", name, s.Hosts)
		}
		if p.Status != nil {
			status = *p.Status
		}
		if scopes != " "+c.scopes || status != c.status || p.PeakRSS != c.rss || p.CPUSeconds != c.cpu || p.Spawns != c.spawns || p.PIDs != c.pids || p.Sheets[1].PeakRSS != c.sheet {
			t.Errorf("host %q: got scopes%s, status %q, %v MB, %v s, %d spawns, %d pids, step %v, want %+v", c.host, scopes, status, p.PeakRSS, p.CPUSeconds, p.Spawns, p.PIDs, p.Sheets[1], c)
		}
	}
}

func TestJobProfile_UnknownHost(t *testing.T) {
	_, err := query.JobProfile(t.Context(), nightly(t), query.JobFilter{Name: "nightly", Host: "delta"})
	var elsewhere *query.JobHostError
	if !errors.As(err, &elsewhere) || !slices.Equal(elsewhere.Hosts, []string{"alpha", "beta", "gamma"}) {
		t.Errorf("got %v, want the hosts that have it", err)
	}
}

func TestJobs_Scopes(t *testing.T) {
	db := nightly(t)
	for host, want := range map[string]string{"": "gamma+beta/running/2/12 beta/-/1/2 alpha/done/2/1", "gamma": "gamma/running/1/8", "delta": ""} {
		jobs, err := query.Jobs(t.Context(), db, query.Range{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, j := range jobs {
			status, hosts := "-", j.Host
			if j.Status != nil {
				status = *j.Status
			}
			if j.Fleet {
				hosts = j.Hosts[len(j.Hosts)-1]
				if len(j.Hosts) > 1 {
					hosts += "+" + j.Hosts[0]
				}
			}
			got += fmt.Sprintf("%s/%s/%d/%d ", hosts, status, j.PIDs, j.Spawns)
		}
		if want != "" {
			want += " "
		}
		if got != want {
			t.Errorf("host %q: got %q, want %q", host, got, want)
		}
	}
}
