package projector

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// crowd is a host with many processes, so that its snapshots weigh more than their rollups.
func crowd(n int) func(*simHost) {
	return func(h *simHost) {
		for pid := 1; pid <= n; pid++ {
			p := h.procs[pid]
			if p == nil {
				p = h.start(schema.Process{PID: pid, StartTicks: uint64(pid), RSS: schema.Some(int64(pid * 1000))})
			}
			p.CPUMillis += uint64(pid)
			p.CPUPermille = schema.Some(int64(h.tick) * int64(pid) % 1000)
		}
	}
}

// A database that is above its cap gets below it: what goes before its time is the oldest, and it is rolled up.
func TestRetention_Cap(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", Retention{})
	w.run(15*minute, 5*second, crowd(50), h)
	d.settle()
	d.retain()
	wantNone(t, "snapshots that went below the cap", earlyGone(t, d.r.db, w.sent))
	p, err := d.r.pages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.r.cfg.MaxBytes = p.used() * 7 / 10
	removed := d.retain()
	if p, err = d.r.pages(t.Context()); err != nil || p.used() > d.r.cfg.MaxBytes {
		t.Errorf("%d bytes, %v, want at most %d", p.used(), err, d.r.cfg.MaxBytes)
	}
	wantNone(t, "snapshots that are not accounted for", unaccounted(t, d.r.db, w.sent))
	if s := wrongRollups(t, d.r.db, rolledBy(w, d)); s != "" {
		t.Errorf("rollups:\n%s", s)
	}
	have := stored(t, d.r.db)
	oldest := slices.IndexFunc(w.sent, func(m *schema.Message) bool { return have[keyOf(m)] })
	if oldest < 1 {
		t.Fatalf("%d snapshots went", oldest)
	}
	wantNone(t, "snapshots that went before older ones", earlyGone(t, d.r.db, w.sent[oldest:]))
	if removed.Minutes != 0 {
		t.Errorf("%d rollups went while there were snapshots", removed.Minutes)
	}
	// No more than the cap asks for, by about.
	if p.used() < d.r.cfg.MaxBytes/2 {
		t.Errorf("%d bytes are left under a cap of %d", p.used(), d.r.cfg.MaxBytes)
	}
}

// watched sends what a retention writes through the test, which sees how long each chore takes and when.
func (d *database) watched(ctx context.Context, before func(n int), after func(took time.Duration)) {
	real := d.r.s
	d.r.s = &session{p: real.p, fold: real.fold, chores: make(chan chore)}
	go func() {
		for n := 0; ; n++ {
			var c chore
			select {
			case c = <-d.r.s.chores:
			case <-ctx.Done():
				return
			}
			before(n)
			do := c.do
			c.do = func(f *fold) error {
				began := time.Now()
				err := do(f)
				after(time.Since(began))
				return err
			}
			real.chores <- c
		}
	}()
}

// What takes long is done in pieces.
func TestWriteAll_InPieces(t *testing.T) {
	w := newWorld(t)
	d := w.open("live", short)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pieces, done := 0, 0
	d.watched(ctx, func(int) { pieces++ }, func(time.Duration) {})
	var count int64
	err := writeAll(ctx, d.r, make([]int, 100), &count, func(*fold, int) error {
		done++
		time.Sleep(time.Millisecond) // a row that takes long
		return nil
	})
	if err != nil || done != 100 || count != 100 {
		t.Errorf("%d done and %d counted, %v, want 100", done, count, err)
	}
	if pieces < 100*int(time.Millisecond)/int(choreTime)-1 {
		t.Errorf("100 ms of work were done in %d pieces, want each to take about %s", pieces, choreTime)
	}
}

// Chores are short, and what comes while a pass works is folded before it ends.
func TestRetention_FoldsWhileItWorks(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", short)
	w.run(12*minute, 6*second, crowd(100), h)
	w.pass(20*minute, h)
	steady(h)
	next := w.state(schema.StreamSnapshots).LastSeq + 1
	d.settle()
	d.retain() // the first pass that sees a host cannot tell that it is gone
	var took []time.Duration
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late := h.snapshot()
	foldedAt := -1 // the chore before which it was folded
	d.watched(ctx, func(n int) {
		if n == 2 {
			w.publish(late)
		}
		if foldedAt < 0 && d.p.Positions()[schema.StreamSnapshots].Folded >= next {
			foldedAt = n
		}
	}, func(d time.Duration) { took = append(took, d) })
	removed := d.retain()
	if removed.Samples < 10_000 {
		t.Fatalf("%+v shows nothing", removed)
	}
	if foldedAt < 0 {
		t.Errorf("a message that came at the third of %d chores was not folded before the last", len(took))
	}
	slices.Sort(took)
	// A chore ends with the row that goes beyond its time. On a machine that is loaded, all takes longer.
	if middle, most := took[len(took)/2], took[len(took)-1]; middle > 10*choreTime || most > 100*choreTime {
		t.Errorf("%d chores took %s in the middle and %s at most, want about %s", len(took), middle, most, choreTime)
	}
	t.Logf("%d chores, the middle one %s, the longest %s", len(took), took[len(took)/2], took[len(took)-1])
}
