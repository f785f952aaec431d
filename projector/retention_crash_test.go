package projector

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

var errCrash = errors.New("the pass was cut short")

// cutShort makes a pass that ends at its n-th step, if it comes so far.
func (d *database) cutShort(n int) (cut bool) {
	d.w.t.Helper()
	d.r.alive = func() error {
		if n--; n < 0 {
			return errCrash
		}
		return nil
	}
	defer func() { d.r.alive = func() error { return nil } }()
	_, err := d.tryRetain()
	if err != nil && !errors.Is(err, errCrash) {
		d.w.t.Fatalf("a pass that was cut short: %v", err)
	}
	return err != nil
}

// A pass that ends anywhere leaves a database in which nothing is lost, and the next pass makes of it what it would have
// been.
func TestRetention_PassesThatEndAnywhere(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	limits := short
	limits.Policy.Downsampled = 30 * 24 * time.Hour
	d := w.open("live", limits)
	roll := seeded(3)
	w.run(8*minute, 40*second, steady, h)
	cuts := 0
	for round := range 50 {
		w.run(2*minute, 40*second, steady, h)
		d.settle()
		if d.cutShort(roll(14)) {
			cuts++
		}
		if round%3 == 0 { // and the process with it
			d.stop()
			d = w.open("live", limits)
			d.settle()
		}
		d.checkRound(fmt.Sprint("round ", round))
		if round%5 == 4 {
			d.retain()
			d.checkRound(fmt.Sprint("after the pass of round ", round))
			_, old := w.within(limits.Policy.FullResolution + time.Minute)
			wantNone(t, "snapshots that stayed", overdue(t, d.r.db, old))
		}
	}
	if cuts < 25 {
		t.Errorf("only %d of 50 passes were cut short", cuts)
	}
	if s := wrongRollups(t, d.r.db, rolledBy(w, d)); s != "" {
		t.Errorf("rollups:\n%s", s)
	}
	got, want := contents(t, d.r.db), contents(t, w.replay("fresh"))
	if s := diff(got, want); s != "" {
		t.Errorf("a replay of the log has other rows:\n%s", s)
	}

	// The control: a pass that deletes before its rollups are there, and is cut short then.
	w.run(12*minute, 30*second, steady, h)
	d.settle()
	if err := d.r.readAges(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ids []int64
	err := d.r.oldMinutes(t.Context(), limits.Policy.FullResolution, func(hm hostMinute) error {
		for _, h := range hm.heads {
			ids = append(ids, h.id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.r.deleteSnapshots(t.Context(), ids[:1]); err != nil {
		t.Fatal(err)
	}
	wantSome(t, "a pass that deletes first", unaccounted(t, d.r.db, w.sent))
}

func (d *database) checkRound(when string) {
	d.w.t.Helper()
	within, _ := d.w.within(d.r.limits.full)
	wantNone(d.w.t, when+": snapshots that went early", earlyGone(d.w.t, d.r.db, within))
	wantNone(d.w.t, when+": snapshots that are not accounted for", unaccounted(d.w.t, d.r.db, d.w.sent))
}

// rolledBy are the messages of which a database has rollups.
func rolledBy(w *world, d *database) (of []*schema.Message) {
	w.t.Helper()
	rolled := rolledUp(w.t, d.r.db)
	for _, m := range w.sent {
		if rolled[keyOf(m)] > 0 {
			of = append(of, m)
		}
	}
	return of
}
