package projector

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/projector/store"
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
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", retention.Settings{})
	w.run(15*minute, 5*second, crowd(50), h)
	d.settle()
	d.retain()
	wantNone(t, "snapshots that went below the cap", earlyGone(t, d.read, w.sent))
	used, err := d.pages()
	if err != nil {
		t.Fatal(err)
	}
	d.settings.MaxBytes = used * 7 / 10
	removed := d.retain()
	if used, err = d.pages(); err != nil || used > d.settings.MaxBytes {
		t.Errorf("%d bytes, %v, want at most %d", used, err, d.settings.MaxBytes)
	}
	wantNone(t, "snapshots that are not accounted for", unaccounted(t, d.read, w.sent))
	if s := wrongRollups(t, d.read, rolledBy(w, d)); s != "" {
		t.Errorf("rollups:\n%s", s)
	}
	have := stored(t, d.read)
	oldest := slices.IndexFunc(w.sent, func(m *schema.Message) bool { return have[keyOf(m)] })
	if oldest < 1 {
		t.Fatalf("%d snapshots went", oldest)
	}
	wantNone(t, "snapshots that went before older ones", earlyGone(t, d.read, w.sent[oldest:]))
	if removed.RollupsDeleted != 0 {
		t.Errorf("%d rollups went while there were snapshots", removed.RollupsDeleted)
	}
	// No more than the cap asks for, by about.
	if used < d.settings.MaxBytes/2 {
		t.Errorf("%d bytes are left under a cap of %d", used, d.settings.MaxBytes)
	}
}

// watched is a database that a test watches as retention writes it.
type watched struct {
	retention.Database
	before func(n int) // the n-th piece of writing
	after  func(took time.Duration)
	n      int
}

// Write implements [retention.Database].
func (d *watched) Write(ctx context.Context, do func(*store.Tx) error) error {
	d.before(d.n)
	d.n++
	return d.Database.Write(ctx, func(tx *store.Tx) error {
		began := time.Now()
		err := do(tx)
		d.after(time.Since(began))
		return err
	})
}

// Pieces of writing are short, and what comes while a pass works is folded before it ends.
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
	late := h.snapshot()
	foldedAt := -1 // the piece before which it was folded
	d.as = &watched{Database: d.as, before: func(n int) {
		if n == 2 {
			w.publish(late)
		}
		if foldedAt < 0 && d.p.Positions()[schema.StreamSnapshots].Folded >= next {
			foldedAt = n
		}
	}, after: func(d time.Duration) { took = append(took, d) }}
	removed := d.retain()
	if removed.Samples < 10_000 {
		t.Fatalf("%+v shows nothing", removed)
	}
	if foldedAt < 0 {
		t.Errorf("a message that came at the third of %d pieces was not folded before the last", len(took))
	}
	slices.Sort(took)
	// A piece ends with the row that goes beyond its time. On a machine that is loaded, all takes longer.
	if middle, most := took[len(took)/2], took[len(took)-1]; middle > 10*retention.WriteTime || most > 100*retention.WriteTime {
		t.Errorf("%d pieces took %s in the middle and %s at most, want about %s", len(took), middle, most, retention.WriteTime)
	}
	t.Logf("%d pieces, the middle one %s, the longest %s", len(took), took[len(took)/2], took[len(took)-1])
}
