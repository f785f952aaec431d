package schema

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// noLeader is JSClusterNotAvailErr of nats-server's errors.json.
const noLeader = jetstream.ErrorCode(10008)

// LogIsLeaderless reports whether a server answered that its cluster can elect no leader now.
func LogIsLeaderless(err error) bool {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	return ok && refused.ErrorCode == noLeader
}

// consumerOffline is JSConsumerOfflineErr of nats-server's errors.json: no server that has the consumer is there.
const consumerOffline = jetstream.ErrorCode(10119)

// DurableIsAway reports whether an error says that no server of a cluster has a durable now. One that was made on a single server stays there until the stream's other
// servers have it too, and is away when that server is.
func DurableIsAway(err error) bool {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	return ok && refused.ErrorCode == consumerOffline
}

// MakeDurable makes a durable, or finds it and changes its settings. One that is away is made anew: whoever reads by it knows the place.
func MakeDurable(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	consumer, err := js.CreateOrUpdateConsumer(ctx, stream, cfg)
	if DurableIsAway(err) {
		return ReplaceDurable(ctx, js, stream, cfg)
	}
	return consumer, err
}

// ReplaceDurable deletes a durable, if there is one, and makes it anew.
func ReplaceDurable(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	if err := js.DeleteConsumer(ctx, stream, cfg.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("make the durable %s anew: %w", cfg.Durable, err)
	}
	return js.CreateConsumer(ctx, stream, cfg)
}
