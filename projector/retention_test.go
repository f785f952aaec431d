package projector

import (
	"testing"

	"github.com/proctape/proctape/schema"
)

// busy makes a host's processes come, go, change and work, as drawn.
func busy(seed uint64) func(*simHost) {
	t := &teller{roll: seeded(seed)}
	return t.live
}

// What leaves full resolution is there again by the minute, with the figures that its snapshots give; what has not left
// is untouched; and whoever folds the log anew has the same.
func TestRetention_RollsUpWhatLeavesFullResolution(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	alpha, beta := w.host("alpha"), w.host("beta")
	w.run(13*minute, 10*second, busy(1), alpha, beta)
	d := w.open("live", short)
	d.settle()
	d.retain()

	limit := w.now.Wall - int64(short.Policy.FullResolution)
	whole := limit - limit%minute // the minute that the limit is in stays
	old, young := recordedBefore(w.sent, whole), recordedSince(w.sent, whole)
	wantNone(t, "snapshots that went early", earlyGone(t, d.read, young))
	wantNone(t, "snapshots that stayed", overdue(t, d.read, old))
	wantNone(t, "snapshots that are not accounted for", unaccounted(t, d.read, w.sent))
	if s := wrongRollups(t, d.read, old); s != "" {
		t.Errorf("rollups:\n%s", s)
	}
	fresh := contents(t, w.replay("fresh"))
	if s := diff(contents(t, d.read), fresh); s != "" {
		t.Errorf("a replay of the trimmed log has other rows:\n%s", s)
	}

	// Controls: a figure that is wrong, a rollup that is not there, a snapshot that went without one.
	broken := w.open("broken", short)
	broken.settle()
	for what, query := range map[string]string{
		"a figure":   `UPDATE process_rollups SET cpu_p95 = coalesce(cpu_p95, 0) + 1 WHERE (process_id, rollup_id) IN (SELECT process_id, rollup_id FROM process_rollups LIMIT 1)`,
		"a snapshot": `DELETE FROM snapshots WHERE id = (SELECT max(id) FROM snapshots)`,
		"a rollup":   `DELETE FROM rollups WHERE id = (SELECT max(id) FROM rollups)`,
	} {
		before := [3]int{len(wrongRollups(t, broken.read, old)), len(earlyGone(t, broken.read, young)), len(unaccounted(t, broken.read, old))}
		broken.exec(query)
		after := [3]int{len(wrongRollups(t, broken.read, old)), len(earlyGone(t, broken.read, young)), len(unaccounted(t, broken.read, old))}
		if before == after {
			t.Errorf("%s was spoilt, and no checker saw it", what)
		}
	}
}

// A pass that finds nothing to do does nothing.
func TestRetention_SecondPassHasNothingToDo(t *testing.T) {
	w := newWorld(t)
	w.run(12*minute, 20*second, busy(2), w.host("alpha"))
	d := w.open("live", short)
	d.settle()
	if first := d.retain(); first.Snapshots == 0 || first.RollupsMade == 0 || first.Messages == 0 {
		t.Errorf("the first pass removed %+v", first)
	}
	if second := d.retain(); second != (schema.Removed{}) {
		t.Errorf("the second pass removed %+v", second)
	}
	if n := d.count(`SELECT count(*) FROM retention_passes`); n != 2 {
		t.Errorf("got %d rows of passes, want 2", n)
	}
}

// A snapshot of the last nanoseconds of a minute has the timestamp of the next one, for timestamps round.
func TestRetention_TimestampsThatRound(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha", schema.Process{PID: 5})
	h.wall = schema.MinuteOf(h.wall) + minute - 1 - second
	w.publish(h.snapshot())
	w.pass(hour/2, h)
	w.publish(h.snapshot())
	d := w.open("live", short)
	d.settle()
	want := d.plan()
	if got := rowsOnly(d.retain()); got != want || got.Snapshots != 1 {
		t.Errorf("got %+v, planned %+v, want one snapshot to go", got, want)
	}
}
