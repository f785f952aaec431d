package projector

import (
	"context"
	"time"
)

// chore is a piece of writing that is not folding. The session does it in a transaction of its own, between two batches.
type chore struct {
	do   func(*fold) error
	done chan<- error
}

// choreTime is what a chore may take before it lets the fold go on.
const choreTime = 10 * time.Millisecond

// write has the session do something between two batches, and waits for it.
func (r *retention) write(ctx context.Context, do func(*fold) error) error {
	if r.dry {
		return nil
	}
	if err := r.alive(); err != nil {
		return err
	}
	done := make(chan error, 1)
	select {
	case r.s.chores <- chore{do, done}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-done // the session has it
}

// writeAll does something for each of the items, as many at a time as fit into a chore, and counts them.
func writeAll[T any](ctx context.Context, r *retention, items []T, count *int64, do func(*fold, T) error) error {
	if r.dry {
		*count += int64(len(items))
		return nil
	}
	for len(items) > 0 {
		n := 0
		err := r.write(ctx, func(f *fold) error {
			for began := time.Now(); n < len(items) && (n == 0 || time.Since(began) < choreTime); n++ {
				if err := do(f, items[n]); err != nil {
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

// chore does a chore. A failure is the session's too: what the database refused once, it may refuse the fold.
func (s *session) chore(c chore) error {
	err := s.fold.db.transact(func() error { return c.do(s.fold) })
	c.done <- err
	return err
}
