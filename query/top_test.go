package query_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// lives inserts snapshots 1 to 7, ten seconds apart from 100010 on, of a machine that booted at 99000, and processes that a
// drawing decides on. It returns the database.
func lives(t *rapid.T, r *recording) {
	for _, table := range []string{"snapshots", "processes", "samples", "process_events"} {
		r.exec(`DELETE FROM ` + table)
	}
	for i := int64(1); i <= 7; i++ {
		at := 100_000 + 10*float64(i)
		r.snapshot(i, at, row{"boot_ns": int64((at - 99_000) * 1e9)})
	}
	var row1 int64
	for pid := int64(10); pid < 13; pid++ {
		first := int64(rapid.IntRange(1, 7).Draw(t, "first"))
		last := int64(rapid.IntRange(int(first), 7).Draw(t, "last"))
		started := int64(99_500-99_000) * 100 // long before
		if rapid.Bool().Draw(t, "born") && first > 1 {
			started = (1000+10*first-5)*100 + pid
		}
		change := int64(rapid.IntRange(int(first), int(last)).Draw(t, "exec")) // another description from then on
		cpu := int64(0)
		if started < 100_000 {
			cpu = 5000
		}
		for _, span := range [][2]int64{{first, change - 1}, {change, last}} {
			if span[0] > span[1] {
				continue
			}
			row1++
			of := row{"start_ticks": started, "command": fmt.Sprint("prog", pid%3, " ", span[0]), "uid": pid % 2, "last_snapshot": span[1], "ended": 100_000 + 10*float64(span[1])}
			if span[1] == 7 {
				of["last_snapshot"], of["ended"] = int64(schema.OpenEnded), nil
			}
			peak := int64(0)
			r.process(row1, pid, span[0], of)
			for s := span[0]; s <= span[1]; s++ {
				cpu += int64(rapid.IntRange(0, 900).Draw(t, "cpu"))
				rss := int64(rapid.IntRange(1, 9).Draw(t, "rss")) * 1024
				peak = max(peak, rss)
				r.sample(s, row1, row{"cpu_ms": cpu, "rss_kib": rss, "read_kib": cpu * 2, "minor_faults": cpu, "sent_kib": cpu * 3})
			}
			r.exec(`UPDATE processes SET cpu_ms = ?, peak_rss_kib = ? WHERE id = ?`, cpu, peak, row1)
		}
	}
}

// plainCPU is what each pid used in a range, by SQL over the contract's view.
func plainCPU(t *rapid.T, r *recording, since, until float64) map[int64]float64 {
	rows, err := r.db.QueryContext(r.Context(), `WITH m AS (SELECT pm.*, s.timestamp AS at, s.timestamp - pm.age_seconds AS born FROM process_metrics pm JOIN snapshots s ON s.id = pm.snapshot_id)
		SELECT pid, max(CASE WHEN at >= ?1 THEN cpu_seconds END) - coalesce(max(CASE WHEN at < ?1 THEN cpu_seconds END),
			CASE WHEN min(born) >= ?1 THEN 0 ELSE min(CASE WHEN at >= ?1 THEN cpu_seconds END) END)
		FROM m WHERE at < ?2 GROUP BY pid HAVING max(at) >= ?1`, since, until)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]float64{}
	for rows.Next() {
		var pid int64
		var used float64
		if err := rows.Scan(&pid, &used); err != nil {
			t.Fatal(err)
		}
		out[pid] = used
	}
	return out
}

// Who used how much CPU is what plain SQL over all samples says, though hardly any is read.
func TestTopOf_EqualsSQL(t *testing.T) {
	r := newRecording(t)
	db := r.open()
	rapid.Check(t, func(t *rapid.T) {
		lives(t, r)
		since := 100_000 + 10*float64(rapid.IntRange(1, 6).Draw(t, "since"))
		until := since + 10*float64(rapid.IntRange(1, 7).Draw(t, "span"))
		want := plainCPU(t, r, since, until)
		for _, by := range query.TopBy {
			top, err := query.TopOf(r.Context(), db, query.TopQuery{Filter: query.Filter{Range: query.Range{Since: since, Until: until}}, By: by, Sort: "cpu"})
			if err != nil {
				t.Fatal(err)
			}
			var sum, all float64
			for _, row := range top.Rows {
				sum += row.CPUSeconds
				if by == "process" && math.Abs(row.CPUSeconds-want[row.Process.PID]) > 1e-6 {
					t.Fatalf("pid %d from %g to %g: got %g, want %g", row.Process.PID, since, until, row.CPUSeconds, want[row.Process.PID])
				}
			}
			for _, used := range want {
				all += used
			}
			if math.Abs(sum-all) > 1e-6 || math.Abs(top.All.CPUSeconds-all) > 1e-6 {
				t.Fatalf("by %s: got %g and %g together, want %g", by, sum, top.All.CPUSeconds, all)
			}
			if by == "process" && len(top.Rows) != len(want) {
				t.Fatalf("got %d processes, want %d", len(top.Rows), len(want))
			}
		}
	})
}

// What lives too short for a sample counts by its exit, and starts count for whoever made them.
func TestTopOf_CountsWhatEnded(t *testing.T) {
	r := newRecording(t)
	r.snapshot(1, 100, row{"boot_ns": int64(50e9)})
	r.process(1, 42, 1, row{"command": "make -j", "start_ticks": 100, "uid": 7})
	r.sample(1, 1, row{"cpu_ms": 1000})
	for i := int64(1); i <= 3; i++ {
		of := row{"pid": 50 + i, "start_ticks": 4900 + i, "ppid": 42, "command": "/usr/bin/cc -c a.c", "uid": 7, "boot_id": "boot-1"}
		r.event(2*i, 101, "spawn", of)
		r.event(2*i+1, 102, "exit", of.with(row{"cpu_ms": 500, "peak_rss_kib": 2048, "write_kib": 1024}))
	}
	r.event(9, 103, "exit", row{"pid": 42, "start_ticks": 100, "cpu_ms": 1800, "sampled_cpu_ms": 1000, "boot_id": "boot-1"})
	ask := func(by, metric string) []query.TopRow {
		t.Helper()
		top, err := query.TopOf(t.Context(), r.open(), query.TopQuery{Filter: query.Filter{Range: query.Range{Since: 90, Until: 110}}, By: by, Sort: metric})
		if err != nil {
			t.Fatal(err)
		}
		return top.Rows
	}
	command := ask("command", "io")[0]
	if command.Key != "cc" || command.CPUSeconds != 1.5 || command.Processes != 3 || *command.Write != 3 || command.Memory != 6 {
		t.Errorf("by command: got %+v", command)
	}
	if parent := ask("parent", "forks")[0]; parent.Process.PID != 42 || parent.Process.Command != "make -j" || parent.Forks != 3 {
		t.Errorf("by parent: got %+v of %+v", parent, parent.Process)
	}
	process := ask("process", "forks")[0]
	if process.Process.PID != 42 || process.Forks != 3 || process.CPUSeconds != 0.8 {
		t.Errorf("by process: got %+v", process)
	}
	if user := ask("user", "cpu"); len(user) != 1 || user[0].Key != "7" || math.Abs(user[0].CPUSeconds-2.3) > 1e-9 {
		t.Errorf("by user: got %+v", user)
	}
	for _, since := range []float64{-9e99, math.Inf(-1), 0} { // from ever on
		all, err := query.TopOf(t.Context(), r.open(), query.TopQuery{Filter: query.Filter{Range: query.Range{Since: since, Until: 110}}, By: "user", Sort: "cpu"})
		if err != nil || len(all.Rows) != 1 || math.Abs(all.Rows[0].CPUSeconds-2.3) > 1e-9 {
			t.Errorf("since %g: got %+v, %v", since, all, err)
		}
	}
	_, err := query.TopOf(t.Context(), r.open(), query.TopQuery{By: "colour", Sort: "cpu"})
	if !errors.Is(err, query.ErrTopQuery) {
		t.Errorf("got %v, want %v", err, query.ErrTopQuery)
	}
}

// Where snapshots have left full resolution the minutes answer, and the answer says so.
func TestTopOf_ReadsMinutes(t *testing.T) {
	r := newRecording(t)
	r.insert("rollup_processes", row{"id": 9, "host_id": 1, "boot_id": "boot-1", "pid": 42, "start_ticks": 5000, "command": "sh"})
	for i := int64(1); i <= 3; i++ {
		r.insert("rollups", row{"id": i, "host_id": 1, "timestamp": 60 * float64(i), "boot_id": "boot-1", "samples": 12, "covers": "[]"})
		r.insert("process_rollups", row{"process_id": 9, "rollup_id": i, "samples": 12, "cpu_mean": 500, "rss_max": 2048 * i, "read_kib": 1024 * i, "received_kib": 3072 * i})
	}
	q := query.TopQuery{Filter: query.Filter{Range: query.Range{Since: 0, Until: 300}}, By: "process", Sort: "mem"}
	top, err := query.TopOf(t.Context(), r.open(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got := top.Rows[0]; top.Source != "minutes" || got.CPUSeconds != 90 || got.Memory != 6 || *got.Read != 2 || *got.Received != 6 || got.Sent != nil {
		t.Errorf("got %+v of %s", got, top.Source)
	}
	r.snapshot(7, 250, nil)
	r.process(1, 42, 7, nil)
	r.sample(7, 1, row{"cpu_ms": 100})
	if top, err = query.TopOf(t.Context(), r.open(), q); err != nil || top.Source != "both" || len(top.Rows) != 1 {
		t.Errorf("got %+v, %v", top, err)
	}
}

// At a time: the newest snapshot, and what was used since the one before it.
func TestTopAt(t *testing.T) {
	r := newRecording(t)
	for i := int64(1); i <= 3; i++ {
		r.snapshot(i, 100+10*float64(i), row{"boot_ns": int64(50e9) + i*int64(10e9)})
	}
	r.process(1, 42, 1, row{"start_ticks": 100})
	r.process(2, 43, 1, row{"start_ticks": 100})
	for i := int64(1); i <= 3; i++ {
		r.sample(i, 1, row{"cpu_ms": 1000 * i, "rss_kib": 1024 * i})
		r.sample(i, 2, row{"cpu_ms": 3000 * i * i, "rss_kib": 512})
	}
	top, err := query.TopAt(t.Context(), r.open(), 125, query.TopQuery{By: "process", Sort: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	if got := top.Rows[0]; got.Process.PID != 43 || got.CPUSeconds != 9 || math.Abs(got.CPU-90) > 1e-6 || top.To != 120 {
		t.Errorf("got %+v to %g", got, top.To)
	}
	if top, err = query.TopAt(t.Context(), r.open(), 125, query.TopQuery{By: "process", Sort: "mem"}); err != nil || top.Rows[0].Memory != 2 {
		t.Errorf("got %+v, %v", top, err)
	}
}

// No read of these goes through a large table from end to end.
func TestTopPlans(t *testing.T) {
	r := newRecording(t)
	eventfulJob(r)
	wholeRows(r)
	r.snapshot(1000, 2e6, nil)
	r.snapshot(1001, 2e6+5, nil)
	var log []asked
	db := r.watch(func(a asked) { log = append(log, a) })
	q := query.TopQuery{Filter: query.Filter{Range: query.Range{Since: 1, Until: 5e9}}, By: "process", Sort: "cpu"}
	for name, read := range map[string]func() error{
		"top":    func() error { _, err := query.TopOf(t.Context(), db, q); return err },
		"top at": func() error { _, err := query.TopAt(t.Context(), db, 5e9, q); return err },
		"at":     func() error { _, err := query.ProcessesAt(t.Context(), db, 5e9, query.Filter{}); return err },
		"tree": func() error {
			_, err := query.TreeAt(t.Context(), db, 5e9, query.Filter{Range: query.Range{Host: "alpha"}})
			return err
		},
		"diff": func() error {
			_, err := query.Diff(t.Context(), db, 5e9, 6e9, query.Filter{Range: query.Range{Host: "alpha"}})
			return err
		},
		"orphans": func() error { _, err := query.OrphansAt(t.Context(), db, 5e9, query.Filter{}); return err },
	} {
		log = nil
		if err := read(); err != nil {
			t.Fatal(err)
		}
		if len(log) == 0 {
			t.Fatal("nothing was asked")
		}
		for _, a := range log {
			for _, step := range plan(t, r, a) {
				if scansLarge(a.text, step) {
					t.Errorf("%s: %s\n%s", name, step, a.text)
				}
			}
		}
		if name == "top" {
			i := slices.IndexFunc(log, func(a asked) bool { return strings.Contains(a.text, "p.ended >= ?6") })
			if i < 0 {
				t.Fatal("the processes that ended were not asked for")
			}
			if steps := strings.Join(plan(t, r, log[i]), "\n"); !strings.Contains(steps, "processes_by_end (ended>?)") {
				t.Errorf("got\n%s", steps)
			}
		}
	}
}
