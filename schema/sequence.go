package schema

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SequenceAt returns the sequence of the first message that a stream stored at a time or later, or one beyond its last. It
// finds it by halves, with direct gets: some twenty of them for a million messages.
func SequenceAt(ctx context.Context, stream jetstream.Stream, at time.Time) (uint64, error) {
	state := stream.CachedInfo().State
	low, high := max(state.FirstSeq, 1), state.LastSeq+1
	for low < high {
		mid := low + (high-low)/2
		msg, err := stream.GetMsg(ctx, mid, jetstream.WithGetMsgSubject(">"))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			high = mid
		case err != nil:
			return 0, err
		case msg.Time.Before(at):
			low = msg.Sequence + 1
		default:
			high = mid
		}
	}
	return low, nil
}
