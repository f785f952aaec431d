package projector

import (
	"context"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema/trouble"
)

// trimInterval is how often readers that do not let the write-ahead log be cut are asked again, while it is not yet
// too long: each time costs a tenth of a second.
const trimInterval = 2 * time.Second

// walTrimmer keeps the database's write-ahead log short.
type walTrimmer struct {
	store  *store.Store
	path   string // of the database
	report *trouble.Reporter
	beat   func()    // is called while a reader is waited for, see [Config]
	last   time.Time // when it was last asked to be short
}

// bound asks for a short write-ahead log. When readers do not let it, it waits for them until stopped: what is not
// folded yet stays in the log, and nobody's reading is cut off.
func (w *walTrimmer) bound(ctx context.Context, stop <-chan struct{}) error {
	defer w.report.End(reporting, trouble.Reader, w.path, "nothing lost: the log kept what came")
	for waited := false; w.store.WALSize() > store.WALTrim; waited = true {
		if w.store.WALSize() < store.WALStop && time.Since(w.last) < trimInterval {
			return nil
		}
		w.last = time.Now()
		short, err := w.store.TrimWAL()
		if err != nil || short || w.store.WALSize() < store.WALStop {
			return err
		}
		if !waited {
			w.report.Begin(reporting, trouble.Trouble{Kind: trouble.Reader, About: w.path, Reason: "folding waits for it, and the log keeps what comes",
				Figures: map[string]int64{"wal_bytes": w.store.WALSize()}})
		}
		w.beat()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
