package projector

import (
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// everything is all rows of all tables.
func (d *kept) everything() map[string][]string {
	d.w.t.Helper()
	out := map[string][]string{}
	for _, table := range d.rows(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		out[table] = d.rows(`SELECT * FROM ` + table)
	}
	return out
}

// sizes is how many messages each stream has.
func (w *world) sizes() map[string]int64 {
	out := map[string]int64{}
	for _, name := range schema.DataStreams {
		out[name] = w.messages(name)
	}
	return out
}

// A dry run counts what the pass then removes, of everything that there is, and changes nothing.
func TestRetention_DryRun(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	// Gaps and what is in quarantine have the server's time, which is the real one.
	w.set(func(r *retention.Reading) { r.Wall = time.Now().Add(-time.Hour).Truncate(time.Minute).UnixNano() })
	alpha, gone := w.host("alpha"), w.host("gone")
	d := w.open("live", short)
	live := busy(4)
	w.publish(gone.jobs(declared("build"), declared("old")), gone.gaps(2), gone.events(schema.KindExit, 3, "build"), gone.execs(3, "build"))
	w.publish(alpha.gaps(1))
	bad := nats.NewMsg(schema.Subject("alpha", schema.KindSnapshot))
	bad.Data = []byte("spoilt")
	if _, err := w.js.PublishMsg(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	total := schema.Removed{}
	step := func(what string) {
		t.Helper()
		d.settle()
		before, log := d.everything(), w.sizes()
		want := d.plan()
		if s := diff(d.everything(), before); s != "" {
			t.Errorf("%s: the dry run changed the database:\n%s", what, s)
		}
		if after := w.sizes(); !maps.Equal(after, log) {
			t.Errorf("%s: the dry run changed the log from %v to %v", what, log, after)
		}
		got := rowsOnly(d.retain())
		if got != want {
			t.Errorf("%s: removed\n got %+v, planned\n     %+v", what, got, want)
		}
		total = sum(total, got)
	}
	step("new")
	w.run(4*minute, 20*second, live, alpha, gone)
	for range 8 {
		w.run(4*minute, 40*second, live, alpha)
		w.publish(alpha.events(schema.KindSpawn, 2, "build"), alpha.execs(2, "build"))
		step("with young rows")
	}
	for range 8 {
		w.pass(30*minute, alpha)
		w.run(minute, 20*second, live, alpha)
		step("with old rows")
	}
	for name, n := range map[string]int64{"snapshots": total.Snapshots, "samples": total.Samples, "rollups made": total.RollupsMade,
		"rollups": total.RollupsDeleted, "events": total.Events, "execs": total.Execs, "job events": total.JobEvents, "gaps": total.Gaps,
		"quarantined": total.Quarantined, "processes": total.Processes, "jobs": total.Jobs} {
		if n == 0 {
			t.Errorf("no %s went: the test shows nothing of them", name)
		}
	}
}

func sum(a, b schema.Removed) schema.Removed {
	return schema.Removed{RollupsMade: a.RollupsMade + b.RollupsMade, Snapshots: a.Snapshots + b.Snapshots, Samples: a.Samples + b.Samples, Events: a.Events + b.Events,
		Execs: a.Execs + b.Execs, JobEvents: a.JobEvents + b.JobEvents, Gaps: a.Gaps + b.Gaps, Quarantined: a.Quarantined + b.Quarantined, RollupsDeleted: a.RollupsDeleted + b.RollupsDeleted,
		Processes: a.Processes + b.Processes, Jobs: a.Jobs + b.Jobs}
}
