package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// Gaps are picked by when they were, and not by when they were noticed.
func TestGaps_Overlap(t *testing.T) {
	r := newRecording(t)
	for i, g := range []row{
		{"from_time": 100.0, "to_time": 140.0, "timestamp": 140.0, "kind": "restart"},
		{"from_time": 100.0, "to_time": 140.0, "timestamp": 900.0, "kind": "missing"}, // noticed much later
		{"to_time": 120.0, "timestamp": 130.0, "kind": "stream_hole"},
		{"timestamp": 120.0, "kind": "lines_lost"},
		{"to_time": 50.0, "timestamp": 60.0, "kind": "before_log"}, // of all that was before
	} {
		r.insert("gaps", g.with(row{"stream": "S", "at_seq": i, "host_id": 1}))
	}
	db := r.open()
	for span, want := range map[[2]float64]string{
		{110, 130}: "lines_lost stream_hole restart missing", {120, 121}: "lines_lost stream_hole restart missing", {140, 1000}: "", {130, 0}: "restart missing",
		{90, 100}: "", {90, 101}: "restart missing", {0, 10}: "before_log", {50, 60}: "", {0, 0}: "before_log lines_lost stream_hole restart missing",
	} {
		gaps, err := query.Gaps(t.Context(), db, query.Range{Since: span[0], Until: span[1]}, "")
		if err != nil {
			t.Fatal(err)
		}
		kinds := ids(gaps, func(g query.Gap) string { return string(g.Kind) })
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("from %v to %v: %q, want %q", span[0], span[1], got, want)
		}
	}
}

// A job's coverage begins where its first process did, though the record of it begins later, and ends where it is known to be gone.
func TestJobCoverage(t *testing.T) {
	r := newRecording(t)
	for i := range int64(12) {
		if i == 4 || i == 5 { // the recorder was away
			continue
		}
		r.snapshot(i+1, 1000+5*float64(i), row{"boot_ns": (boot + 5*i) * 1e9, "interval_ns": int64(5e9), "partial": 0, "hidden_count": 0,
			"capabilities": `["processes","io","events-taskstats"]`, "instance": fmt.Sprint(i / 5)})
	}
	r.insert("producers", row{"host_id": 1, "instance": "0", "kind": "snapshot", "boot_id": "boot-1", "first_ns": int64(1000e9), "last_ns": int64(1015e9)})
	r.insert("producers", row{"host_id": 1, "instance": "1", "kind": "snapshot", "boot_id": "boot-1", "first_ns": int64(1030e9), "last_ns": int64(1055e9)})
	r.insert("gaps", row{"stream": "S", "timestamp": 1030.0, "kind": "restart", "host_id": 1, "from_time": 1015.0, "to_time": 1030.0})
	r.process(1, 42, 1, row{"job_id": "early", "start_ticks": (boot - 3) * 100})
	r.sample(1, 1, nil)
	r.insert("jobs", row{"host_id": 1, "job_id": "early", "first_seen": 1000.0, "last_seen": 1010.0})
	r.insert("jobs", row{"host_id": 1, "job_id": "cut", "first_seen": 1005.0, "last_seen": 1015.0})
	r.insert("jobs", row{"host_id": 1, "job_id": "whole", "first_seen": 1030.0, "last_seen": 1040.0, "ended": 1042.0})
	db := r.open()
	for job, want := range map[string]struct {
		from, to float64
		reasons  string
	}{"early": {997, 1015, "begins_late"}, "cut": {1005, 1030, "restart"}, "whole": {1030, 1042, ""}} {
		covers, err := query.JobCoverage(t.Context(), db, query.JobFilter{Name: job})
		if err != nil || len(covers) != 1 {
			t.Fatalf("%s: %+v, error %v", job, covers, err)
		}
		c := covers[0]
		reasons := ids(c.Reasons, func(r query.Reason) string { return r.Kind })
		if c.From != want.from || c.To != want.to || !slices.Equal(reasons, strings.Fields(want.reasons)) || c.Complete != (want.reasons == "") {
			t.Errorf("%s: %+v, want %+v", job, c, want)
		}
	}
}
