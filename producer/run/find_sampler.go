package run

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// findSampler finds out, by the newest snapshot of a host, whether a sampler records it, and whether that one sees every
// start and end of a process. The recorder looks, or on a server without one this process. Where neither can, there may
// be one.
func findSampler(ctx context.Context, nc *nats.Conn, domain, host string) schema.SamplerState {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answer, err := nc.RequestWithContext(ctx, schema.SamplerSubject(host), nil)
	if errors.Is(err, nats.ErrNoResponders) {
		return findSnapshot(ctx, nc, domain, host)
	}
	var state schema.SamplerState
	if err != nil || json.Unmarshal(answer.Data, &state) != nil || state.Error != "" {
		return schema.SamplerState{Lives: true}
	}
	return state
}

// findSnapshot looks for the newest snapshot of a host.
func findSnapshot(ctx context.Context, nc *nats.Conn, domain, host string) schema.SamplerState {
	js, err := schema.JetStream(nc, domain)
	if err != nil {
		return schema.SamplerState{Lives: true}
	}
	stream, err := js.Stream(ctx, schema.StreamSnapshots)
	if err != nil {
		return schema.SamplerState{Lives: !errors.Is(err, jetstream.ErrStreamNotFound)}
	}
	msg, err := stream.GetLastMsgForSubject(ctx, schema.Subject(host, schema.KindSnapshot))
	if err != nil {
		return schema.SamplerState{Lives: !errors.Is(err, jetstream.ErrMsgNotFound)}
	}
	m, err := schema.DecodeOf(msg.Subject, msg.Header.Get(schema.HeaderType), msg.Header.Get(schema.HeaderEncoding), msg.Data)
	if err != nil {
		return schema.SamplerState{}
	}
	return schema.SamplerStateOf(m.Snapshot, msg.Time)
}
