package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Hosts returns the hosts of which the log has snapshots or events, sorted.
func Hosts(ctx context.Context, js jetstream.JetStream) ([]string, error) {
	var hosts []string
	for _, name := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("list the hosts of %s: %w", name, err)
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(schema.SubjectPrefix+">"))
		if err != nil {
			return nil, fmt.Errorf("list the hosts of %s: %w", name, err)
		}
		for subject := range info.State.Subjects {
			if host, _, _ := strings.Cut(strings.TrimPrefix(subject, schema.SubjectPrefix), "."); host != schema.Fleet {
				hosts = append(hosts, host)
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}
