package projector

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

var errCrash = errors.New("the pass was cut short")

// cutting is a database that fails from some call on, as one does whose process ends.
type cutting struct {
	retention.Database
	left int
}

func (d *cutting) cut() error {
	if d.left--; d.left < 0 {
		return errCrash
	}
	return nil
}

// Write implements [retention.Database].
func (d *cutting) Write(ctx context.Context, do func(*store.Tx) error) error {
	if err := d.cut(); err != nil {
		return err
	}
	return d.Database.Write(ctx, do)
}

// WaitCommitted implements [retention.Database].
func (d *cutting) WaitCommitted(ctx context.Context, upTo map[string]uint64) error {
	if err := d.cut(); err != nil {
		return err
	}
	return d.Database.WaitCommitted(ctx, upTo)
}

// cutShort makes a pass that ends at its n-th step, if it comes so far.
func (d *kept) cutShort(n int) (cut bool) {
	d.w.t.Helper()
	whole := d.as
	d.as = &cutting{whole, n}
	defer func() { d.as = whole }()
	_, err := d.tryRetain()
	if err != nil && !errors.Is(err, errCrash) {
		d.w.t.Fatalf("a pass that was cut short: %v", err)
	}
	return err != nil
}

// A pass that ends anywhere leaves a database in which nothing is lost, and the next pass makes of it what it would have
// been.
func TestRetention_PassesThatEndAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long campaign, which make test runs")
	}
	w := newWorld(t)
	h := w.host("alpha")
	limits := short
	limits.Policy.Downsampled = 30 * 24 * time.Hour
	d := w.open("live", limits)
	roll := seeded(3)
	w.run(8*minute, 40*second, steady, h)
	cuts, rounds := 0, 20
	if soak {
		rounds = 50
	}
	for round := range rounds {
		w.run(2*minute, 40*second, steady, h)
		d.settle()
		if d.cutShort(roll(11)) {
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
			wantNone(t, "snapshots that stayed", overdue(t, d.read, old))
		}
	}
	if cuts < rounds/3 {
		t.Errorf("only %d of %d passes were cut short", cuts, rounds)
	}
	if s := wrongRollups(t, d.read, rolledBy(w, d)); s != "" {
		t.Errorf("rollups:\n%s", s)
	}
	got, want := contents(t, d.read), contents(t, w.replay("fresh"))
	if s := diff(got, want); s != "" {
		t.Errorf("a replay of the log has other rows:\n%s", s)
	}

	// The control: a pass that deletes before its rollups are there, and is cut short then.
	w.run(12*minute, 30*second, steady, h)
	d.settle()
	d.exec(`DELETE FROM snapshots WHERE id = (SELECT min(id) FROM snapshots)`)
	wantSome(t, "a pass that deletes first", unaccounted(t, d.read, w.sent))
}

func (d *kept) checkRound(when string) {
	d.w.t.Helper()
	within, _ := d.w.within(d.settings.Policy.FullResolution)
	wantNone(d.w.t, when+": snapshots that went early", earlyGone(d.w.t, d.read, within))
	wantNone(d.w.t, when+": snapshots that are not accounted for", unaccounted(d.w.t, d.read, d.w.sent))
}

// rolledBy are the messages of which a database has rollups.
func rolledBy(w *world, d *kept) (of []*schema.Message) {
	w.t.Helper()
	rolled := rolledUp(w.t, d.read)
	for _, m := range w.sent {
		if rolled[keyOf(m)] > 0 {
			of = append(of, m)
		}
	}
	return of
}
