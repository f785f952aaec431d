package projector

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/schema"
)

// Limits of a transaction. What waits is taken up to them: a batch is one message when little comes, and many when
// the log is ahead, with no timer in between.
const (
	batchMessages = 512
	batchRows     = 20_000
	batchText     = 4 << 20 // bytes; a text may take twice its room in the write-ahead log
	readAhead     = 512     // messages decoded and not yet taken
)

// heartbeat is how often a server with nothing to send shows that it is there. Two that do not come end the session,
// and a server that waits for a busy disk may well be silent for some seconds.
const heartbeat = 5 * time.Second

// received is a message as it was read, decoded.
type received struct {
	fold.Delivery
	ack func() error // acknowledges this message and all before it; nil when nobody waits for that
}

// weight is about what a message takes in memory, and at most what there is for all of them.
func (r *reader) weight(m *received) int64 {
	n := int64(len(m.Payload)) + 512 + 512*int64(m.Rows()) // with their text, and the system calls of some
	return min(n, r.decoded)
}

// reader reads the streams, one goroutine each, and decodes beside the one that writes.
type reader struct {
	js         jetstream.JetStream
	once       bool
	databaseID string
	path       string              // of the database
	policy     *schema.Policy      // nil: the database keeps all
	hosts      hostFilter          // of which the database is
	memory     *semaphore.Weighted // of decoded messages
	decoded    int64               // bytes of all of it
	ahead      int64               // bytes that the server sends ahead
	queue      int                 // messages that it sends ahead at most
	begun      atomic.Int32        // streams that are read
}

func newReader(js jetstream.JetStream, cfg Config, databaseID string) *reader {
	r := &reader{js: js, once: cfg.Once, databaseID: databaseID, path: cfg.DB, hosts: cfg.Hosts,
		memory: semaphore.NewWeighted(cfg.Memory.Decoded), decoded: cfg.Memory.Decoded, ahead: cfg.Memory.Ahead, queue: cfg.Memory.queue()}
	if cfg.Retention != nil {
		r.policy = &cfg.Retention.Policy
	}
	return r
}

// read passes a stream's messages on, decoded, until ctx ends or the target is passed.
func (r *reader) read(ctx context.Context, stream string, from uint64, target map[string]uint64, out chan<- *received) error {
	consumer, err := r.consumer(ctx, stream, from)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(r.queue, int(r.ahead)), jetstream.PullExpiry(15*time.Second),
		jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return err
	}
	defer stopReading(messages)
	r.begun.Add(1)
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		m, err := newReceived(stream, msg)
		if err != nil {
			return err
		}
		if target != nil && m.Seq > target[stream] {
			return nil // beyond what is wanted
		}
		if !r.once {
			m.ack = msg.Ack
		}
		if m.PassedOver = r.hosts.passesOver(m.Subject); !m.PassedOver {
			m.Decode()
		}
		if r.memory.Acquire(ctx, r.weight(m)) != nil {
			return nil
		}
		select {
		case out <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

func newReceived(stream string, msg jetstream.Msg) (*received, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	return &received{Delivery: fold.Delivery{Stream: stream, Seq: meta.Sequence.Stream, Stored: meta.Timestamp, Subject: msg.Subject(),
		Header: fold.Header(msg.Headers()), Payload: msg.Data()}}, nil
}

// consumer is where a stream is read: the database's durable, set to where the database is, or for a replay a consumer
// that nothing is left of.
func (r *reader) consumer(ctx context.Context, stream string, from uint64) (jetstream.Consumer, error) {
	if r.once {
		return r.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from})
	}
	cfg := schema.Consumer(r.databaseID)
	if r.policy != nil {
		cfg = schema.Keeping(cfg, r.policy.Keeps(stream))
	}
	cfg = schema.OfDatabase(cfg, "how far the stream is in the database", r.path)
	consumer, err := schema.MakeDurable(ctx, r.js, stream, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := r.js.ResetConsumerToSequence(ctx, stream, cfg.Durable, from); err != nil {
		return nil, fmt.Errorf("set the durable to %d (nats-server 2.14 or later can): %w", from, err)
	}
	return consumer, nil
}

// stopReading ends a reader, and waits until the server has been told. The client tells it some time after Stop, and what
// the server sends to a reader that nobody listens to is lost to the next one until AckWait is over.
func stopReading(messages jetstream.MessagesContext) {
	messages.Stop()
	reader, ok := messages.(interface{ Closed() <-chan struct{} })
	for deadline := time.Now().Add(time.Second); ok && time.Now().Before(deadline); {
		select {
		case <-reader.Closed(): // already closed when the subscription is gone, and else never
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// release gives the memory of a batch back, of which nothing is used any more.
func (r *reader) release(batch []*received) {
	for _, m := range batch {
		r.memory.Release(r.weight(m))
		if m.Msg != nil {
			m.Msg.Release()
		}
	}
}

// gather takes what waits behind the first message, up to the limits of a transaction.
func gather(first *received, messages <-chan *received) []*received {
	batch := []*received{first}
	rows, text := first.Rows(), first.TextBytes()
	for len(batch) < batchMessages && rows < batchRows && text < batchText {
		select {
		case m := <-messages:
			batch = append(batch, m)
			rows += m.Rows()
			text += m.TextBytes()
		default:
			return batch
		}
	}
	return batch
}

// acknowledge tells the server how far each stream is committed. It is advice: the position that counts is in the
// database.
func acknowledge(batch []*received) error {
	last := map[string]*received{}
	for _, m := range batch {
		last[m.Stream] = m
	}
	var errs []error
	for _, m := range last {
		if m.ack != nil {
			errs = append(errs, m.ack())
		}
	}
	return errors.Join(errs...)
}
