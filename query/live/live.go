// Package live follows the log: a stream and a time go in, decoded messages come out as they are stored.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Follow calls handle for every message that the filter picks: first those that the log has since the filter's time or sequence, then
// each as it comes, without a gap or a double in between. It returns nil when ctx ends, the error of handle when that
// fails, and jetstream.ErrStreamNotFound, wrapped, when the log has no such stream. It waits while the server is away.
//
// Each call has a reader of its own on the server, which waits for the call: a slow one delays nobody else, and loses only
// what the log itself trims. handle gets each message's sequence in the stream too. A message that cannot be read is passed to skipped, with the reason. One goroutine calls both
// functions, in the order of the log.
func Follow(ctx context.Context, js jetstream.JetStream, filter Filter, handle func(m *schema.Message, sequence uint64) error, skipped func(subject string, err error)) error {
	return FollowRaw(ctx, js, filter, func(raw *Message) error {
		m, err := raw.Decode()
		if err != nil {
			skipped(raw.Subject, err)
			return nil
		}
		return handle(m, raw.Sequence)
	})
}

// FollowRaw is [Follow] for who decides by its subject whether a message is worth decoding. handle may keep what it gets.
func FollowRaw(ctx context.Context, js jetstream.JetStream, filter Filter, handle func(*Message) error) error {
	follow := filter.consume
	if filter.Direct {
		follow = filter.get
	}
	var failed error // of handle, returned as it is
	err := follow(ctx, js, func(m *Message) bool {
		failed = handle(m)
		return failed == nil
	})
	switch {
	case failed != nil:
		return failed
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("follow %s: %w", filter.Stream, err)
	}
	return nil
}

// each is called for each message; it returns false to end.
type each func(*Message) bool

// consume follows through a reader on the server.
func (f Filter) consume(ctx context.Context, js jetstream.JetStream, do each) error {
	messages, err := f.messages(ctx, js)
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case errors.Is(err, jetstream.ErrNoHeartbeat) && ctx.Err() == nil: // the server is away; the consumer comes back with it
			continue
		case err != nil:
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if !do(newMessage(meta.Sequence.Stream, msg.Subject(), msg.Headers(), msg.Data())) {
			return nil
		}
	}
}

// get follows by getting message by message.
func (f Filter) get(ctx context.Context, js jetstream.JetStream, do each) error {
	reader, err := newDirectReader(ctx, js, f)
	if err != nil {
		return err
	}
	for {
		msg, err := reader.read(ctx)
		if err != nil {
			return err
		}
		if !do(newMessage(msg.Sequence, msg.Subject, msg.Header, msg.Data)) {
			return nil
		}
	}
}

// messages makes a reader on the server.
func (f Filter) messages(ctx context.Context, js jetstream.JetStream) (jetstream.MessagesContext, error) {
	stream, err := js.Stream(ctx, f.Stream)
	if err != nil {
		return nil, err
	}
	consumer, err := js.OrderedConsumer(ctx, f.Stream, f.config(stream.CachedInfo().State.LastSeq))
	if err != nil {
		return nil, err
	}
	// Read only a little ahead: what nobody has handled yet is safer in the log. With a limit in bytes alone the client
	// makes room for a million messages, which is 8 MB for every reader.
	return consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(500, 16<<20), jetstream.PullExpiry(5*time.Second))
}

// config says where to start: at a time, or behind the last message that the log holds now. The policy "new messages
// only" would begin at a later time whenever the reader is made again, which happens at every restart of the server.
func (f Filter) config(last uint64) jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: last + 1}
	switch {
	case f.From > 0:
		cfg.OptStartSeq = f.From
	case !f.Since.IsZero():
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &f.Since
	}
	if f.Host != "" {
		cfg.FilterSubjects = []string{schema.SubjectPrefix + f.Host + ".>"}
		if f.Stream == schema.StreamSnapshots {
			cfg.FilterSubjects = []string{schema.Subject(f.Host, schema.KindSnapshot)}
		}
	}
	return cfg
}
