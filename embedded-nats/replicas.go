package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// StreamReplicas is on how many servers a stream of the log is kept, and how far each is.
type StreamReplicas struct {
	Stream   string
	Replicas int    // that are asked for
	Leader   string // name of the server that leads; empty while none does
	Peers    []Peer // the others
	Bytes    uint64
}

// Peer is a server that follows the leader of a stream.
type Peer struct {
	Name    string
	Current bool // it has all that the leader has
	Offline bool
	Lag     uint64 // operations that it has not done yet
}

// Settled reports whether as many servers as are asked for have all of the stream.
func (s *StreamReplicas) Settled() bool {
	if s.Replicas == 1 {
		return true
	}
	for _, p := range s.Peers {
		if !p.Current || p.Offline {
			return false
		}
	}
	return s.Leader != "" && len(s.Peers) == s.Replicas-1
}

// Replicas returns on how many servers each stream of the log is kept.
func Replicas(ctx context.Context, js jetstream.JetStream) ([]StreamReplicas, error) {
	var list []StreamReplicas
	for _, cfg := range schema.Streams(schema.Policy{}, 1) {
		stream, err := js.Stream(ctx, cfg.Name)
		if err != nil {
			return nil, fmt.Errorf("ask for stream %s: %w", cfg.Name, err)
		}
		list = append(list, replicasOf(stream.CachedInfo()))
	}
	return list, nil
}

func replicasOf(info *jetstream.StreamInfo) StreamReplicas {
	s := StreamReplicas{Stream: info.Config.Name, Replicas: info.Config.Replicas, Bytes: info.State.Bytes}
	if info.Cluster == nil {
		return s
	}
	s.Leader = info.Cluster.Leader
	for _, p := range info.Cluster.Replicas {
		s.Peers = append(s.Peers, Peer{p.Name, p.Current, p.Offline, p.Lag})
	}
	return s
}

// SetReplicas has each stream of the log kept on n servers, and waits until they all have it, and the durables of the databases that read it. It tells
// of each look at them.
func SetReplicas(ctx context.Context, js jetstream.JetStream, n int, look func([]StreamReplicas)) error {
	for _, cfg := range schema.Streams(schema.Policy{}, 1) {
		stream, err := js.Stream(ctx, cfg.Name)
		if err != nil {
			return fmt.Errorf("ask for stream %s: %w", cfg.Name, err)
		}
		have := stream.CachedInfo().Config
		if have.Replicas == n {
			continue
		}
		have.Replicas = n
		if _, err := js.UpdateStream(ctx, have); err != nil {
			return fmt.Errorf("keep stream %s on %d servers: %w", cfg.Name, n, err)
		}
	}
	for {
		list, err := Replicas(ctx, js)
		if err == nil {
			look(list)
		}
		settled := err == nil
		for i := range list {
			settled = settled && list[i].Settled()
		}
		if settled && n > 1 {
			settled, err = durablesSettled(ctx, js, n)
		}
		if settled {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// durablesSettled reports whether n servers have each durable of the log: they follow their stream, later than it.
func durablesSettled(ctx context.Context, js jetstream.JetStream, n int) (bool, error) {
	for _, cfg := range schema.Streams(schema.Policy{}, 1) {
		stream, err := js.Stream(ctx, cfg.Name)
		if err != nil {
			return false, fmt.Errorf("ask for stream %s: %w", cfg.Name, err)
		}
		consumers := stream.ListConsumers(ctx)
		settled := true
		for c := range consumers.Info() {
			if c.Config.Durable == "" {
				continue
			}
			on := c.Cluster
			away := on == nil || on.Leader == "" || len(on.Replicas) != n-1 ||
				slices.ContainsFunc(on.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
			settled = settled && !away
		}
		if consumers.Err() != nil || !settled {
			return false, consumers.Err()
		}
	}
	return true, nil
}

// The errors of a server by which it cannot keep a stream on as many servers as are asked for, nats-server errors.json.
const (
	errNoPeers     = 10005
	errNoCluster   = 10074
	errNoResources = 10023
	errStorage     = 10047
)

// PlacementHint says what mends an error of making or changing a stream for want of servers, or of room on them; empty for another error.
func PlacementHint(err error) string {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return ""
	}
	text := strings.ToLower(api.Description)
	switch {
	case api.ErrorCode == errNoCluster:
		return "this server is alone: --replicas 1, or a cluster of as many servers"
	case api.ErrorCode == errNoResources, api.ErrorCode == errStorage, api.ErrorCode == errNoPeers && strings.Contains(text, "storage"):
		return "the servers have no room for as much as the streams may take: lower --max-log-mb, or raise max_file_store of the servers"
	case api.ErrorCode == errNoPeers && strings.Contains(text, "offline"):
		return "some servers of the cluster are away: start them, or ask for fewer replicas"
	case api.ErrorCode == errNoPeers:
		return "the cluster has fewer servers with JetStream than that: add some, or ask for fewer replicas"
	}
	return ""
}
