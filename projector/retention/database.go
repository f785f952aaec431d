package retention

import (
	"context"

	"github.com/proctape/proctape/projector/store"
)

// Database is the database that retention works on, in the hands of whoever writes it. What retention writes comes
// between two batches of the fold.
type Database interface {
	// ID is the database's id.
	ID() string
	// Write runs do in a transaction. do is to take about [WriteTime] and no longer: live messages wait behind it.
	Write(ctx context.Context, do func(*store.Tx) error) error
	// WaitCommitted waits until the database has folded each stream up to a sequence.
	WaitCommitted(ctx context.Context, upTo map[string]uint64) error
	// CatchUp waits until the database has folded what the streams hold now.
	CatchUp(ctx context.Context) error
	// CloseHost ends the processes of a host that is not heard of any more.
	CloseHost(ctx context.Context, hostID int64) error
	// ForgetProducer deletes the rows of a producer unless a message newer than lastBoot (boot clock, ns) came from it.
	ForgetProducer(ctx context.Context, hostID int64, instance string, lastBoot int64) error
}
