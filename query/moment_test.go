package query_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
)

// family inserts a shell 10 that bore a make 20, which bore a cc 30 and ended; cc was adopted by 1. A daemon 40 was born of 99, of
// which nothing is recorded.
func family(r *recording) {
	r.Helper()
	r.snapshot(1, 100, row{"boot_ns": int64(50e9)})
	r.snapshot(2, 110, row{"boot_ns": int64(60e9)})
	r.process(1, 1, 1, row{"start_ticks": 1, "ppid": 0, "command": "init"})
	r.process(2, 10, 1, row{"start_ticks": 1000, "ppid": 1, "command": "bash -l"})
	r.process(3, 20, 1, row{"start_ticks": 2000, "ppid": 10, "command": "make", "last_snapshot": 1, "ended": 100})
	r.process(4, 30, 1, row{"start_ticks": 3000, "ppid": 20, "command": "cc", "job_id": "j", "last_snapshot": 1, "ended": 100})
	r.process(5, 30, 2, row{"start_ticks": 3000, "ppid": 1, "command": "cc", "job_id": "j"})
	r.process(6, 40, 2, row{"start_ticks": 5500, "ppid": 1, "command": "daemon"})
	r.event(1, 105, "spawn", row{"pid": 40, "start_ticks": 5500, "ppid": 99, "boot_id": "boot-1"})
	r.event(2, 106, "exit", row{"pid": 20, "start_ticks": 2000, "exit_code": 2, "cpu_ms": 900, "lifetime_ms": 76000, "boot_id": "boot-1"})
	r.event(3, 107, "exit", row{"pid": 60, "start_ticks": 5600, "exit_code": 0, "lifetime_ms": 1000, "boot_id": "boot-1"})
	for snapshot, of := range map[int64][]int64{1: {1, 2, 3, 4}, 2: {1, 2, 5, 6}} {
		for _, p := range of {
			r.sample(snapshot, p, row{"cpu_ms": 100 * snapshot * p, "rss_kib": 1024 * snapshot * p})
		}
	}
}

func TestProcessesAt(t *testing.T) {
	r := newRecording(t)
	family(r)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	r.snapshot(3, 104, row{"host_id": 2})
	for at, want := range map[float64]string{99: "", 100: "alpha 0 [1 10 20 30]", 109: "alpha 9 [1 10 20 30] beta 5 []", 200: "alpha 90 [1 10 30 40] beta 96 []", 9000: ""} {
		moments, err := query.ProcessesAt(t.Context(), r.open(), at, query.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range moments {
			got += fmt.Sprintf(" %s %g %v", m.Host, m.Old, ids(m.Processes, func(p query.Process) int64 { return p.PID }))
		}
		if got != "" {
			got = got[1:]
		}
		if got != want {
			t.Errorf("at %g: got %q, want %q", at, got, want)
		}
	}
	moments, err := query.ProcessesAt(t.Context(), r.open(), 9000, query.Filter{Range: query.Range{Host: "alpha"}, Job: "j"})
	if err != nil || len(moments) != 1 || len(moments[0].Processes) != 1 {
		t.Errorf("a host that is silent, by name: got %+v, %v", moments, err)
	}
	r.insert("rollups", row{"id": 1, "host_id": 1, "timestamp": 60.0, "boot_id": "boot-1", "samples": 12, "covers": "[]"})
	if moments, err = query.ProcessesAt(t.Context(), r.open(), 70, query.Filter{}); err != nil || len(moments) != 1 || moments[0].Resolution != 60 {
		t.Errorf("of a minute: got %+v, %v", moments, err)
	}
}

// outline is a tree in one line.
func outline(nodes []*query.Node) string {
	out := ""
	for _, n := range nodes {
		out += fmt.Sprintf(" %d", n.PID)
		if n.Ended {
			out += "†"
		}
		if n.Adopted {
			out += "*"
		}
		if len(n.Children) > 0 {
			out += "(" + outline(n.Children)[1:] + ")"
		}
	}
	return out
}

func TestTreeAt_KeepsParentsAtBirth(t *testing.T) {
	r := newRecording(t)
	family(r)
	for _, c := range []struct {
		at   float64
		f    query.Filter
		want string
	}{
		{100, query.Filter{}, " 1(10(20(30)))"},
		{110, query.Filter{}, " 1(10(20†(30*))) 99†(40*)"},
		{110, query.Filter{Job: "j"}, " 1(10(20†(30*)))"},
		{110, query.Filter{PID: 40}, " 99†(40*)"},
		{110, query.Filter{PID: 77}, ""},
	} {
		trees, err := query.TreeAt(t.Context(), r.open(), c.at, c.f)
		if err != nil {
			t.Fatal(err)
		}
		if got := outline(trees[0].Roots); got != c.want {
			t.Errorf("at %g: got %q, want %q", c.at, got, c.want)
		}
		if len(trees[0].Roots) == 2 && (trees[0].Roots[0].Count != 3 || trees[0].Roots[0].SumRSS != 16) {
			t.Errorf("sums: got %+v", trees[0].Roots[0])
		}
	}
}

func TestDiff(t *testing.T) {
	r := newRecording(t)
	family(r)
	diffs, err := query.Diff(t.Context(), r.open(), 100, 115, query.Filter{})
	if err != nil || len(diffs) != 1 {
		t.Fatal(err, diffs)
	}
	d := diffs[0]
	got := ids(d.Changes, func(c query.Change) string {
		return fmt.Sprintf("%s %d %+g %.3g", c.Kind, c.Process().PID, c.RSS, c.CPU)
	})
	want := []string{"started 40 +12 1.2", "changed 30 +6 0.6", "ended 20 -3 0.6", "stayed 10 +2 0.2", "stayed 1 +1 0.1"}
	if !slices.Equal(got, want) || d.From != 100 || d.To != 110 || d.Passed != 1 {
		t.Errorf("got %q, %d came and went; want %q and 1", got, d.Passed, want)
	}
	if end := d.Changes[2].End; end == nil || *end.ExitCode != 2 {
		t.Errorf("the end of 20: got %+v", end)
	}
}

func TestOrphansAt(t *testing.T) {
	r := newRecording(t)
	family(r)
	r.insert("job_events", row{"id": 1, "timestamp": 101.0, "job_id": "k", "type": "ended", "host_id": 1, "boot_id": "boot-1", "boot_ns": 0})
	r.process(7, 50, 1, row{"start_ticks": 1500, "ppid": 10, "command": "left", "job_id": "k"})
	r.sample(1, 7, row{"cpu_ms": 100})
	r.sample(2, 7, row{"cpu_ms": 400})
	orphans, err := query.OrphansAt(t.Context(), r.open(), 110, query.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	got := ids(orphans, func(o query.Orphan) string {
		return fmt.Sprintf("%s: %d of %d, %s %s %s", o.Session, o.Process.PID, o.BornOf.PID, o.Why, number(o.Ended), number(o.CPUSince))
	})
	want := []string{"k: 50 of 10, job 101 0.3", "99 : 40 of 99, parent ? ?", "j: 30 of 20, parent 106 0.6"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// The control: before the make ended, and the job, there was none.
	if orphans, err = query.OrphansAt(t.Context(), r.open(), 100, query.Filter{}); err != nil || len(orphans) != 0 {
		t.Errorf("before: got %+v, %v", orphans, err)
	}
}

// The processes of a job that none is left of need not be read: that is believed of the newest snapshot alone. The controls: a job that has one, a newer
// snapshot than the one that is known as the newest, and a time before it, of which all is read.
func TestOrphansAt_OfAJob(t *testing.T) {
	left := func(at float64, roster row) int {
		r := newRecording(t)
		family(r)
		r.insert("job_events", row{"id": 1, "timestamp": 90.0, "job_id": "k", "type": "ended", "host_id": 1, "boot_id": "boot-1", "boot_ns": 0})
		r.process(7, 50, 1, row{"start_ticks": 1500, "ppid": 10, "command": "left", "job_id": "k"}.with(roster["process"].(row)))
		r.sample(1, 7, row{"cpu_ms": 100})
		r.sample(2, 7, row{"cpu_ms": 400})
		r.insert("rosters", row{"host_id": 1, "boot_id": "boot-1", "instance": "i", "seq": 2, "tick": 1, "boot_ns": 0, "interval_ns": 1,
			"last_snapshot": 2, "wall_ns": roster["wall_ns"]})
		orphans, err := query.OrphansAt(t.Context(), r.open(), at, query.Filter{Job: "k", Range: query.Range{Host: "alpha"}})
		if err != nil {
			t.Fatal(err)
		}
		return len(orphans)
	}
	gone, there := row{"last_snapshot": 1, "ended": 110}, row{}
	for name, c := range map[string]struct {
		at      float64
		process row
		wall    int64
		want    int
	}{
		"none is left":         {115, gone, 0, 0},
		"one is left":          {115, there, 0, 1},
		"a newer one has come": {115, gone, 7, 1},
		"before":               {105, gone, 0, 1},
	} {
		if got := left(c.at, row{"process": c.process, "wall_ns": c.wall}); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func number(v *float64) string {
	if v == nil {
		return "?"
	}
	return fmt.Sprintf("%.4g", *v)
}
