package live

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// pollInterval is how long a direct reader that is at the end of the log waits before it looks again.
const pollInterval = 100 * time.Millisecond

// directReader reads a stream message by message, and has nothing on the server.
type directReader struct {
	stream  jetstream.Stream
	subject string
	next    uint64 // sequence of the first message that was not read
}

// newDirectReader makes a reader of a stream, which needs no right to create one on the server. It begins where the
// filter says.
func newDirectReader(ctx context.Context, js jetstream.JetStream, f Filter) (*directReader, error) {
	stream, err := js.Stream(ctx, f.Stream)
	if err != nil {
		return nil, err
	}
	r := &directReader{stream: stream, subject: schema.SubjectPrefix + ">", next: stream.CachedInfo().State.LastSeq + 1}
	if f.Host != "" {
		r.subject = schema.SubjectPrefix + f.Host + ".>"
	}
	switch {
	case f.From > 0:
		r.next = f.From
	case !f.Since.IsZero():
		r.next, err = schema.SequenceAt(ctx, stream, f.Since)
	}
	return r, err
}

// read returns the next message; it waits until there is one or ctx ends. It waits too while the server is away.
func (r *directReader) read(ctx context.Context) (*jetstream.RawStreamMsg, error) {
	for {
		msg, err := r.stream.GetMsg(ctx, r.next, jetstream.WithGetMsgSubject(r.subject))
		switch {
		case err == nil:
			r.next = msg.Sequence + 1
			return msg, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, jetstream.ErrMsgNotFound) && !isAway(err):
			return nil, err
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isAway reports whether an error means that the server does not answer now.
func isAway(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting)
}
