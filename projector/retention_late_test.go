package projector

import (
	"fmt"
	"slices"
	"testing"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// What comes late is rolled up again. However a minute's snapshots came, and whenever they were rolled up, the rollups
// are in the end those of a database that had them all at once.
func TestRetention_LateSnapshotsConverge(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			roll := seeded(seed)
			whole, parts := newWorld(t), newWorld(t)
			alpha, beta := whole.host("alpha"), whole.host("beta")
			made := whole.record(3*minute, 7*second, busy(seed), alpha, beta)
			whole.pass(20 * minute)
			parts.pass(23 * minute)

			atOnce := whole.open("whole", short)
			whole.publish(made...)
			atOnce.settle()
			atOnce.retain()
			atOnce.retain() // the first pass that sees a host cannot tell that it is gone
			want := contents(t, atOnce.read)

			d := parts.open("parts", short)
			for i := range made { // in any order
				j := i + roll(len(made)-i)
				made[i], made[j] = made[j], made[i]
			}
			for rest := made; len(rest) > 0; {
				n := min(1+roll(30), len(rest))
				parts.publish(rest[:n]...)
				rest = rest[n:]
				d.settle()
				d.retain()
			}
			d.retain()
			d.retain()
			got := contents(t, d.read)
			if s := diff(only(got, rollupTables...), only(want, rollupTables...)); s != "" {
				t.Errorf("rolled up in parts:\n%s", s)
			}
			if n := d.count(`SELECT count(*) FROM snapshots`); n != 0 {
				t.Errorf("%d snapshots were left", n)
			}
			if s := wrongRollups(t, d.read, made); s != "" {
				t.Errorf("rollups:\n%s", s)
			}
			replayed := contents(t, parts.replay("replayed"))
			if s := diff(only(replayed, rollupTables...), only(want, rollupTables...)); s != "" {
				t.Errorf("a replay:\n%s", s)
			}
		})
	}
}

var rollupTables = []string{"rollups", "rollup_processes", "process_rollups"}

// A replay of a log that was trimmed many times has the rows that the live database has, wherever both have any.
func TestRetention_ReplayOfATrimmedLog(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	alpha, beta := w.host("alpha"), w.host("beta")
	d := w.open("live", short)
	live := busy(5)
	for round := range 18 {
		w.run(4*minute, 40*second, live, alpha, beta)
		kinds := []schema.Kind{schema.KindSpawn, schema.KindExit, schema.KindKill}
		w.publish(alpha.events(kinds[round%3], 3, "build"), beta.execs(2, "build"))
		if round == 6 {
			beta.restart()
		}
		d.settle()
		d.retain()
	}
	for _, stream := range []string{schema.StreamSnapshots, schema.StreamRollups} {
		if w.state(stream).FirstSeq < 2 {
			t.Errorf("stream %s was not trimmed: the test shows nothing", stream)
		}
	}
	got, want := contents(t, d.read), contents(t, w.replay("fresh"))
	for _, table := range []string{"snapshots", "samples", "process_events", "process_execs", "rollups", "rollup_processes", "process_rollups"} {
		if len(got[table]) == 0 {
			t.Errorf("table %s is empty: the test shows nothing", table)
		}
	}
	if s := diff(got, want); s != "" {
		t.Errorf("the live database and a replay differ:\n%s", s)
	}
	// A control of the comparison: a row that is wrong.
	d.exec(`UPDATE samples SET rss_kib = coalesce(rss_kib, 0) + 1 WHERE id >> 22 = (SELECT min(id) >> 22 FROM samples)`)
	if s := diff(contents(t, d.read), want); s == "" {
		t.Error("a spoilt row was not seen")
	}
}

// What comes late when the rollup of its minute is no longer in the log stays as it is.
func TestRetention_LateSnapshotWithoutItsRollup(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", short)
	made := w.record(2*minute, 10*second, steady, h)
	late := made[3]
	w.publish(slices.Delete(slices.Clone(made), 3, 4)...)
	w.run(12*minute, 30*second, steady, h)
	d.settle()
	d.retain()
	rollups, err := w.js.Stream(t.Context(), schema.StreamRollups)
	if err != nil {
		t.Fatal(err)
	}
	if err := rollups.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.publish(late)
	d.settle()
	for range 2 {
		d.retain()
		wantNone(t, "snapshots that are not accounted for", unaccounted(t, d.read, w.sent))
		wantNone(t, "the late snapshot", earlyGone(t, d.read, []*schema.Message{late}))
	}
}

// The jobs' figures outlive what they were made of, and go when the longest limit is over. So do a producer's books, but
// not while anything still comes of it.
func TestRetention_WhatOutlivesSamples(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	gone, alive := w.host("gone"), w.host("alive")
	d := w.open("live", short)
	w.publish(gone.jobs(declared("build-gone")))
	w.publish(gone.events(schema.KindSpawn, 2, "build-gone"), gone.execs(2, "build-gone"), alive.events(schema.KindSpawn, 2, "lasting"))
	w.run(4*minute, 20*second, steady, gone)
	tables := []string{"snapshots", "samples", "processes", "rollups", "rollup_processes", "process_events", "process_execs", "job_events", "jobs", "job_pids", "job_sheets", "producers"}
	without := func(gone ...string) []string {
		return slices.DeleteFunc(slices.Clone(tables), func(table string) bool { return slices.Contains(gone, table) })
	}
	jobs := d.jobRows()
	for _, step := range []struct {
		what string
		span int64
		left []string // tables that still have something of the host that is gone
	}{
		{"before any limit", 5 * minute, without("rollups", "rollup_processes")},
		{"after full resolution", 10 * minute, without("snapshots", "samples")},
		{"after rollups", 65 * minute, without("snapshots", "samples", "rollups", "rollup_processes", "processes")},
		{"after all", 3 * hour, nil},
	} {
		for spent := int64(0); spent < step.span; spent += 5 * minute {
			w.pass(4*minute, alive)
			w.run(minute, 20*second, func(*simHost) {}, alive)
			d.settle()
			d.retain()
		}
		var left []string
		for _, table := range tables {
			if d.leftOf(table) > 0 {
				left = append(left, table)
			}
		}
		if !slices.Equal(left, step.left) {
			t.Errorf("%s: something is left in %v, want it in %v", step.what, left, step.left)
		}
		if got := d.jobRows(); step.left != nil && !slices.Equal(got, jobs) {
			t.Errorf("%s: jobs are %v, want %v", step.what, got, jobs)
		}
	}
	// The host that lives sent no event for longer than any limit: its books of them stay.
	if n := d.count(`SELECT count(*) FROM producers WHERE kind = ?`, schema.KindSpawn); n != 1 {
		t.Errorf("%d books of spawns, want the one of the producer that lives", n)
	}
}

func (d *kept) jobRows() []string {
	d.settle()
	return d.rows(`SELECT job_id, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids, spawns FROM jobs WHERE job_id = 'build-gone'`)
}

// leftOf counts the rows of a table that the host "gone" brought.
func (d *kept) leftOf(table string) int64 {
	d.w.t.Helper()
	switch table {
	case "samples":
		return d.count(`SELECT count(*) FROM samples WHERE id >> 22 IN (SELECT id FROM snapshots WHERE host_id = ?)`, store.HostID("gone"))
	case "jobs", "job_pids", "job_sheets":
		return d.count(`SELECT count(*) FROM ` + table + ` WHERE job_id = 'build-gone'`)
	}
	return d.count(`SELECT count(*) FROM `+table+` WHERE host_id = ?`, store.HostID("gone"))
}
