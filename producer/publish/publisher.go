// Package publish numbers messages and publishes them in order, with a bounded queue and counted losses. It is what
// proctape's own sampler publishes with, and any other Go program may use it to publish snapshots and events of its own.
package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Origin is who publishes: a host, one boot of it, and one life of a producer on it.
type Origin struct {
	Host     string          // a host token, see [schema.ValidHost]
	BootID   string          // /proc/sys/kernel/random/boot_id, or another text that changes with each boot
	Instance schema.Instance // drawn by [schema.NewInstance] once in the producer's life
}

// Config sets a publisher. The zero value of each field but Origin works.
type Config struct {
	Origin   Origin
	MaxQueue int           // bytes that may wait for the log; default 64 MiB
	Drain    time.Duration // how long Run goes on to publish what waits after its context ended; default 5 s
	Log      *slog.Logger
}

// Publisher numbers messages and publishes them in order. A message waits in a bounded queue until the log has
// acknowledged it. When the queue is full the oldest message goes, snapshots before events, and every later
// envelope says how many items were lost. Its methods may be called by any goroutine; Run is called once.
type Publisher struct {
	js  jetstream.JetStream
	cfg Config

	mu       sync.Mutex
	queue    queue
	failing  bool                   // the last batch failed, and that was logged
	last     map[schema.Kind]uint64 // number of the last item of each kind
	produced uint64
	stats    Stats
	wake     chan struct{} // holds one token when the queue may have grown
}

// Stats counts items since the start.
type Stats struct {
	Produced uint64 // numbered
	Acked    uint64 // acknowledged by the log
	Dropped  uint64 // lost for want of room, or refused by the server
	Waiting  int    // messages in the queue
}

// New returns a publisher to the server behind nc. Run publishes. nc must not buffer while it reconnects
// (nats.ReconnectBufSize(-1)): what is buffered overtakes what was lost with the old connection. The caller closes nc,
// after Run.
func New(nc *nats.Conn, cfg Config) (*Publisher, error) {
	cfg.MaxQueue = cmp.Or(cfg.MaxQueue, 64<<20)
	cfg.Drain = cmp.Or(cfg.Drain, 5*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(window),
		jetstream.WithPublishAsyncTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	p := &Publisher{js: js, cfg: cfg, last: map[schema.Kind]uint64{}, wake: make(chan struct{}, 1)}
	p.queue = queue{limit: cfg.MaxQueue, window: 1, dropped: map[string]uint64{},
		log: func(reason string) { p.cfg.Log.Warn("losing items", "reason", reason) }}
	return p, nil
}

// Offer fills in the message's envelope, all but its kind, wall and boot time, and queues it. It does not wait for the
// log. The message is the publisher's from then on. A message that cannot be encoded is an error, and so is a gap of a kind
// that is not in [schema.GapKinds]; it takes no number.
func (p *Publisher) Offer(m *schema.Message) error {
	for i := range m.Gaps {
		if _, known := m.Gaps[i].Kind.Info(); !known {
			return fmt.Errorf("gap %d: %q is no kind of gap", i, m.Gaps[i].Kind)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	count := m.Count()
	m.Version, m.Host, m.BootID, m.Instance = schema.Version, p.cfg.Origin.Host, p.cfg.Origin.BootID, p.cfg.Origin.Instance
	m.Seq = p.last[m.Kind] + 1
	m.Produced = p.produced + count
	m.Dropped = p.queue.drops()
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Kind, err)
	}
	p.last[m.Kind] += count
	p.produced += count
	p.stats.Produced += count

	msg := nats.NewMsg(schema.Subject(m.Host, m.Kind))
	msg.Data = payload
	msg.Header.Set(nats.MsgIdHdr, m.ID())
	if count > 1 {
		msg.Header.Set(schema.HeaderItems, strconv.FormatUint(count, 10))
	}
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	p.stats.Dropped += p.queue.push(queued{msg, m.Kind, count})
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// Stats returns the counts so far.
func (p *Publisher) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Waiting = len(p.queue.messages)
	return s
}

// Run publishes until ctx ends, and then for as long as Drain what waits. It returns an error if
// something was left.
func (p *Publisher) Run(ctx context.Context) error {
	flushing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(p.cfg.Drain, cancel) })
	defer stop()

	p.publish(ctx, flushing)
	for p.Stats().Waiting > 0 && flushing.Err() == nil {
		if !p.flush(flushing) {
			pause(flushing, 100*time.Millisecond)
		}
	}
	if n := p.Stats().Waiting; n > 0 {
		return fmt.Errorf("%d messages were not acknowledged within %s of the stop", n, p.cfg.Drain)
	}
	return nil
}

// publish flushes the queue whenever it grows, until ctx ends; a flush under way then goes on until flushing ends.
// While the log is away it tries again, at growing intervals.
func (p *Publisher) publish(ctx, flushing context.Context) {
	const first, last = 100 * time.Millisecond, 5 * time.Second
	wait := first
	for {
		switch {
		case p.Stats().Waiting == 0:
			select {
			case <-ctx.Done():
				return
			case <-p.wake:
			}
		case p.flush(flushing):
			wait = first
		default:
			pause(ctx, wait/2+rand.N(wait))
			wait = min(2*wait, last)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// flush publishes the head of the queue and waits for every answer. Messages without one stay where they are, and
// are published again under the same ids. It reports whether none has to be.
func (p *Publisher) flush(ctx context.Context) bool {
	batch := p.startBatch()
	futures := make([]jetstream.PubAckFuture, len(batch))
	errs := make([]error, len(batch))
	for i, q := range batch {
		// The client stamps what it sends; a copy keeps the queued message as it is for the next try.
		msg := &nats.Msg{Subject: q.msg.Subject, Header: q.msg.Header, Data: q.msg.Data}
		// The client's own second attempts would be overtaken.
		futures[i], errs[i] = p.js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(10*time.Second))
		if errs[i] != nil && !tooLarge(errs[i]) {
			break // for instance there is no connection: what follows must not overtake
		}
	}
	for i, f := range futures {
		if f == nil {
			errs[i] = cmp.Or(errs[i], errNotSent)
			continue
		}
		select {
		case <-f.Ok():
		case errs[i] = <-f.Err():
		case <-ctx.Done():
			errs[i] = ctx.Err()
		}
	}
	return p.finishBatch(errs)
}

var errNotSent = errors.New("not sent")

func (p *Publisher) startBatch() []queued {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.startBatch()
}

// finishBatch takes over what came of a batch. It reports whether nothing of it is left.
func (p *Publisher) finishBatch(errs []error) (all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, acked, dropped := p.queue.finishBatch(errs)
	p.stats.Acked += acked
	p.stats.Dropped += dropped
	p.logFailure(all, errs)
	return all
}

// logFailure logs why publishing fails, once for each spell of failures, and when it works again.
func (p *Publisher) logFailure(all bool, errs []error) {
	if all && p.failing {
		p.failing = false
		p.cfg.Log.Info("the log takes messages again", "waiting", len(p.queue.messages))
	}
	if all || p.failing {
		return
	}
	for _, err := range errs {
		if err != nil && !tooLarge(err) && !errors.Is(err, errNotSent) && !errors.Is(err, context.Canceled) {
			p.failing = true
			p.cfg.Log.Warn("the log does not take messages, they wait", "waiting", len(p.queue.messages), "err", err)
			return
		}
	}
}
