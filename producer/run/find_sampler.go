package run

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// findSampler finds out, by the newest snapshot of a host, whether a sampler records it, and whether that one sees every
// start and end of a process. Where the key does not allow to read the log, there may be one.
func findSampler(ctx context.Context, nc *nats.Conn, host string) (lives, seesAll bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return true, false
	}
	stream, err := js.Stream(ctx, schema.StreamSnapshots)
	if err != nil {
		return !errors.Is(err, jetstream.ErrStreamNotFound), false
	}
	msg, err := stream.GetLastMsgForSubject(ctx, schema.Subject(host, schema.KindSnapshot))
	if err != nil {
		return !errors.Is(err, jetstream.ErrMsgNotFound), false
	}
	m, err := schema.DecodeOf(msg.Subject, msg.Header.Get(schema.HeaderType), msg.Header.Get(schema.HeaderEncoding), msg.Data)
	if err != nil || time.Since(msg.Time) > 3*time.Duration(m.Snapshot.Interval)+2*time.Second {
		return false, false
	}
	for _, c := range m.Snapshot.Capabilities {
		info, _ := c.Info()
		seesAll = seesAll || info.SeesAll
	}
	return true, seesAll
}
