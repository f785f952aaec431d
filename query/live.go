package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Live picks what a subscription delivers.
type Live struct {
	Stream string    // schema.StreamSnapshots or schema.StreamEvents
	Since  time.Time // from when on; zero for only what comes from now on
	Host   string    // empty for all
}

// Follow calls handle for every message of a stream, first those since a time and then each as it comes, without a
// gap or a double in between, until ctx ends or handle fails. Each call has a reader of its own on the server, which
// waits for it: a slow one delays nobody else, and loses only what the log itself trims. A message that cannot be
// read is passed to skipped, with the reason.
func Follow(ctx context.Context, js jetstream.JetStream, live Live, handle func(*schema.Message) error, skipped func(subject string, err error)) error {
	messages, err := live.messages(ctx, js)
	if err != nil && ctx.Err() != nil {
		return nil
	} else if err != nil {
		return fmt.Errorf("follow %s: %w", live.Stream, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat): // the server is away; the consumer comes back with it
			continue
		case err != nil:
			return fmt.Errorf("follow %s: %w", live.Stream, err)
		}
		m, err := schema.DecodeOf(msg.Subject(), msg.Headers().Get(schema.HeaderType), msg.Headers().Get(schema.HeaderEncoding), msg.Data())
		if err != nil {
			skipped(msg.Subject(), err)
			continue
		}
		if err := handle(m); err != nil {
			return err
		}
	}
}

// messages makes a reader on the server.
func (l Live) messages(ctx context.Context, js jetstream.JetStream) (jetstream.MessagesContext, error) {
	stream, err := js.Stream(ctx, l.Stream)
	if err != nil {
		return nil, err
	}
	consumer, err := js.OrderedConsumer(ctx, l.Stream, l.config(stream.CachedInfo().State.LastSeq))
	if err != nil {
		return nil, err
	}
	// Little ahead: what a reader has not taken yet, the log keeps better than it does. (With a limit in bytes alone the
	// client makes room for a million messages, which is 8 MB for every reader.)
	return consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(500, 16<<20), jetstream.PullExpiry(5*time.Second))
}

// config says where to start: at a time, or behind the last message that the log holds now. A policy of "only new
// ones" would mean another moment each time the reader is made anew, which it is after every restart of the server.
func (l Live) config(last uint64) jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: last + 1}
	if !l.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &l.Since
	}
	if l.Host != "" {
		cfg.FilterSubjects = []string{schema.SubjectPrefix + l.Host + ".>"}
		if l.Stream == schema.StreamSnapshots {
			cfg.FilterSubjects = []string{schema.Subject(l.Host, schema.KindSnapshot)}
		}
	}
	return cfg
}
