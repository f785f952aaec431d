package query_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
)

// run inserts a run of a job of host 1.
func (r *recording) run(job, id string, started float64, changes row) {
	r.Helper()
	r.insert("runs", row{"host_id": 1, "job_id": job, "run_id": id, "declared": 1, "started": started, "last_event": started}.with(changes))
}

// A report uses the best figures that are known: what the ends of runs told, where processes tell less, and the other way round.
// The control is a job whose runs told nothing.
func TestBestTotals(t *testing.T) {
	r := newRecording(t)
	few := row{"cpu_ms": 40, "peak_rss_kib": 1024, "exit_peak_rss_kib": nil}
	for _, job := range []string{"told", "untold", "more"} {
		r.build7(few.with(row{"job_id": job}))
	}
	r.run("told", "aa", 100, row{"ended": 110.0, "exit_code": 0, "cpu_us": 2_100_000, "system_cpu_us": 100_000, "cpu_source": "wait4", "peak_rss_kib": 308_224, "peak_source": "wait4"})
	r.run("told", "bb", 120, row{"ended": 130.0, "cpu_us": 1_000_000, "system_cpu_us": 250_000, "cpu_source": "cgroup", "group_peak_kib": 512_000})
	r.run("untold", "cc", 100, nil)
	r.run("more", "dd", 100, row{"cpu_us": 1000, "system_cpu_us": 500, "cpu_source": "wait4"})
	db := r.open()
	for _, c := range []struct {
		job, source, peakSource string
		cpu, peak               float64
	}{
		{"told", "wait4", "wait4", 3.1, 301},
		{"untold", "exits", "exits", 0.04, 1},
		{"more", "exits", "exits", 0.04, 1},
	} {
		f := query.JobFilter{Name: c.job}
		p, err := query.JobProfile(t.Context(), db, f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := query.BestTotals(t.Context(), db, f, p)
		if err != nil {
			t.Fatal(err)
		}
		if *b.CPUSeconds != c.cpu || *b.CPUSource != c.source || *b.PeakRSS != c.peak || *b.PeakSource != c.peakSource {
			t.Errorf("%s: got %v by %s, %v by %s", c.job, *b.CPUSeconds, *b.CPUSource, *b.PeakRSS, *b.PeakSource)
		}
		jobs, err := query.Jobs(t.Context(), db, query.Range{})
		if err := errors.Join(err, query.AddBest(t.Context(), db, jobs)); err != nil {
			t.Fatal(err)
		}
		for i := range jobs {
			if jobs[i].JobID == c.job && !reflect.DeepEqual(jobs[i].Best, b) {
				t.Errorf("%s: the list of jobs has %+v, its own totals are %+v", c.job, jobs[i].Best, b)
			}
		}
		if apart := b.UserCPU != nil && *b.UserCPU == 2.75 && *b.SystemCPU == 0.35; apart != (c.job == "told") || !apart && b.SystemCPU != nil {
			t.Errorf("%s: user %v and system %v, want them of the runs that told them, and no other", c.job, b.UserCPU, b.SystemCPU)
		}
		if b.Together.Peak == nil || *b.Together.Peak < *b.PeakRSS || c.job == "told" && (*b.Together.Peak != 500 || *b.Together.Source != "cgroup") {
			t.Errorf("%s: %v MiB together, by %v", c.job, b.Together.Peak, b.Together.Source)
		}
	}
}

// A run is found by its number, which is its place, and by its id. A number of several hosts' jobs wants a host, and so does the newest run of several.
func TestFindRun(t *testing.T) {
	r := newRecording(t)
	r.run("j", "bb", 200, nil)
	r.run("j", "aa", 100, nil)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	r.insert("runs", row{"host_id": 2, "job_id": "j", "run_id": "cc", "declared": 1, "started": 50.0, "last_event": 50.0})
	db := r.open()
	for _, c := range []struct{ host, run, id string }{{"alpha", "1", "aa"}, {"", "2", "bb"}, {"beta", "1", "cc"}, {"", "CC", "cc"}} {
		got, err := query.FindRun(t.Context(), db, query.JobFilter{Name: "j", Host: c.host}, c.run)
		if err != nil || got.ID != c.id {
			t.Errorf("run %s of host %q: got %+v, error %v, want %s", c.run, c.host, got, err, c.id)
		}
	}
	var several *query.RunHostsError
	if _, err := query.FindRun(t.Context(), db, query.JobFilter{Name: "j"}, "1"); !errors.As(err, &several) || len(several.Hosts) != 2 {
		t.Errorf("got error %v, want that it is of two hosts", err)
	}
	runs, err := query.Runs(t.Context(), db, query.JobFilter{Name: "j"})
	if err != nil {
		t.Fatal(err)
	}
	newest := func(host string, before float64) (string, error) {
		r, err := query.NewestRun(query.JobFilter{Name: "j", Host: host}, runs, func(r *query.Run) bool { return r.Started < before })
		if r == nil {
			return "", err
		}
		return r.ID, err
	}
	if id, err := newest("", 300); !errors.As(err, &several) || several.Run != "" || !slices.Equal(several.Hosts, []string{"alpha", "beta"}) {
		t.Errorf("the newest run is %s, error %v, want that it is of two hosts", id, err)
	}
	for _, c := range []struct {
		host, id string
		before   float64
	}{{"", "cc", 60}, {"alpha", "bb", 300}, {"", "", 10}} {
		if id, err := newest(c.host, c.before); id != c.id || err != nil {
			t.Errorf("the newest run before %v of host %q is %q, error %v, want %q", c.before, c.host, id, err, c.id)
		}
	}
	var none *query.NoRunError
	if _, err := query.FindRun(t.Context(), db, query.JobFilter{Name: "j"}, "3"); !errors.As(err, &none) || none.Last != 2 {
		t.Errorf("got error %v, want that the last is 2", err)
	}
}
