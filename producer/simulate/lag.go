package simulate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Lag is how far a database is behind the log, as the server knows it: the messages that its projector has not
// acknowledged, which it does when they are stored.
type Lag struct {
	Consumer string `json:"consumer"`
	Messages uint64 `json:"messages"`
}

// lags asks the server about every database that follows the log.
func lags(ctx context.Context, js jetstream.JetStream) ([]Lag, error) {
	behind := map[string]uint64{}
	for _, name := range schema.DataStreams {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		state := stream.CachedInfo().State
		consumers := stream.ListConsumers(ctx)
		for c := range consumers.Info() {
			if strings.HasPrefix(c.Name, schema.ConsumerName("")) {
				// Not NumPending: the server counts that a moment later.
				acked := max(c.AckFloor.Stream+1, state.FirstSeq)
				behind[c.Name] += max(state.LastSeq+1, acked) - acked
			}
		}
		if err := consumers.Err(); err != nil {
			return nil, fmt.Errorf("consumers of stream %s: %w", name, err)
		}
	}
	all := []Lag{}
	for _, name := range slices.Sorted(maps.Keys(behind)) {
		all = append(all, Lag{name, behind[name]})
	}
	return all, nil
}
