package retention

import (
	"context"
	"time"

	"github.com/proctape/proctape/projector/store"
)

// WriteTime is what one piece of writing may take before it lets the fold go on.
const WriteTime = 10 * time.Millisecond

// aliveInterval is how often the server is told that a tick is being worked on.
const aliveInterval = 10 * time.Second

// atMostEvery calls f at most once in an interval.
func atMostEvery(interval time.Duration, f func() error) func() error {
	last := time.Now()
	return func() error {
		if time.Since(last) < interval {
			return nil
		}
		last = time.Now()
		return f()
	}
}

// writer writes to the database, piece by piece.
type writer struct {
	db    Database
	alive func() error // tells the server that the tick is being worked on
	dry   bool         // count only
}

// ping tells the server that the tick is being worked on.
func (w *writer) ping() error {
	if w.dry {
		return nil
	}
	return w.alive()
}

// write has do done in a transaction between two batches of the fold, and waits for it.
func (w *writer) write(ctx context.Context, do func(*store.Tx) error) error {
	if w.dry {
		return nil
	}
	if err := w.alive(); err != nil {
		return err
	}
	return w.db.Write(ctx, func(tx *store.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		return tx.NoteChange(store.AllTime) // what goes may be of any time
	})
}

// closeHost ends the processes of a host.
func (w *writer) closeHost(ctx context.Context, hostID int64) error {
	if err := w.alive(); err != nil {
		return err
	}
	return w.db.CloseHost(ctx, hostID)
}

// forgetProducer deletes the rows of a producer, unless something newer came from it.
func (w *writer) forgetProducer(ctx context.Context, hostID int64, instance string, lastBoot int64) error {
	if err := w.alive(); err != nil {
		return err
	}
	return w.db.ForgetProducer(ctx, hostID, instance, lastBoot)
}

// waitCommitted waits until the database has folded each stream up to a sequence.
func (w *writer) waitCommitted(ctx context.Context, upTo map[string]uint64) error {
	return w.wait(ctx, func(ctx context.Context) error { return w.db.WaitCommitted(ctx, upTo) })
}

// catchUp waits until the database has folded what the streams hold now.
func (w *writer) catchUp(ctx context.Context) error {
	return w.wait(ctx, func(ctx context.Context) error { return w.db.CatchUp(ctx) })
}

// wait waits, and tells the server meanwhile that the tick is being worked on.
func (w *writer) wait(ctx context.Context, wait func(context.Context) error) error {
	for !w.dry {
		short, cancel := context.WithTimeout(ctx, aliveInterval)
		err := wait(short)
		late := short.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late {
			return err
		}
		if err := w.alive(); err != nil {
			return err
		}
	}
	return nil
}

// writeAll does something for each of the items, as many at a time as fit into a piece, and counts them.
func writeAll[T any](ctx context.Context, w *writer, items []T, count *int64, do func(*store.Tx, T) error) error {
	if w.dry {
		*count += int64(len(items))
		return nil
	}
	for len(items) > 0 {
		n := 0
		err := w.write(ctx, func(tx *store.Tx) error {
			for began := time.Now(); n < len(items) && (n == 0 || time.Since(began) < WriteTime); n++ {
				if err := do(tx, items[n]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		items = items[n:]
		*count += int64(n)
	}
	return nil
}
