package projector

import (
	"context"

	"github.com/proctape/proctape/projector/store"
)

// database is a session as retention sees it.
type database struct{ *session }

// ID implements [retention.Database].
func (d database) ID() string { return d.store.ID() }

// Write implements [retention.Database].
func (d database) Write(ctx context.Context, do func(*store.Tx) error) error {
	return d.between(ctx, func() error { return d.store.Write(do) })
}

// WaitCommitted implements [retention.Database].
func (d database) WaitCommitted(ctx context.Context, upTo map[string]uint64) error {
	return d.progress.wait(ctx, upTo)
}

// CatchUp implements [retention.Database].
func (d database) CatchUp(ctx context.Context) error {
	ends, err := d.streams.ends(ctx, d.cfg.Drain)
	if err != nil {
		return err
	}
	return d.progress.wait(ctx, ends)
}

// CloseHost implements [retention.Database].
func (d database) CloseHost(ctx context.Context, hostID int64) error {
	return d.between(ctx, func() error {
		if err := d.fold.CloseHost(hostID, d.batch); err != nil {
			return err
		}
		return d.session.write()
	})
}

// ForgetProducer implements [retention.Database].
func (d database) ForgetProducer(ctx context.Context, hostID int64, instance string, lastBoot int64) error {
	return d.between(ctx, func() error {
		var deleted bool
		err := d.store.Write(func(tx *store.Tx) (err error) {
			deleted, err = tx.DeleteProducer(hostID, instance, lastBoot)
			return err
		})
		if deleted && err == nil {
			d.fold.ForgetProducer(hostID, instance)
		}
		return err
	})
}

// between has the session do something between two batches, and waits for it.
func (d database) between(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	select {
	case d.writes <- pendingWrite{do, done}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-done // the session has it
}
