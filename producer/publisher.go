package producer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Origin is who publishes: a host, one boot of it, and one life of a producer on it.
type Origin struct {
	Host     string
	BootID   string
	Instance schema.Instance
}

// PublisherConfig sets a publisher. The zero value of each field but Origin works.
type PublisherConfig struct {
	Origin   Origin
	MaxQueue int           // bytes that may wait for the log; default 64 MiB
	Drain    time.Duration // how long Run goes on to publish what waits after its context ended; default 5 s
	Log      *slog.Logger
}

// Publisher numbers messages and publishes them in order. A message waits in a bounded queue until the log has
// acknowledged it. When the queue is full the oldest message goes, snapshots before events, and every later
// envelope says how many items were lost.
type Publisher struct {
	js  jetstream.JetStream
	cfg PublisherConfig

	mu       sync.Mutex
	queue    []queued
	size     int // bytes in queue
	inFlight int // the first messages of queue, which are being published
	window   int // how many may be published before their acknowledgements are awaited
	failing  bool
	next     map[schema.Kind]uint64
	produced uint64
	dropped  map[string]uint64
	stats    PublisherStats
	wake     chan struct{} // holds one token when the queue may have grown
}

// PublisherStats counts items since the start.
type PublisherStats struct {
	Produced uint64 // numbered
	Acked    uint64 // acknowledged by the log
	Dropped  uint64 // lost for want of room, or refused by the server
	Waiting  int    // messages in the queue
}

type queued struct {
	msg   *nats.Msg
	kind  schema.Kind
	count uint64
}

// The reasons for which items are dropped.
const (
	dropQueueFull = "queue full"
	dropTooLarge  = "message too large"
)

// publishWindow is how many messages are published before their acknowledgements are awaited, as long as all goes
// well. After a failure one goes ahead alone: were many sent to a stream that is just coming back, it could refuse
// the first and take the others.
const publishWindow = 256

// NewPublisher returns a publisher to the server behind nc. Run publishes. nc must not buffer while it reconnects
// (nats.ReconnectBufSize(-1)): what is buffered overtakes what was lost with the old connection.
func NewPublisher(nc *nats.Conn, cfg PublisherConfig) (*Publisher, error) {
	cfg.MaxQueue = cmp.Or(cfg.MaxQueue, 64<<20)
	cfg.Drain = cmp.Or(cfg.Drain, 5*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(publishWindow),
		jetstream.WithPublishAsyncTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	return &Publisher{js: js, cfg: cfg, window: 1, next: map[schema.Kind]uint64{}, dropped: map[string]uint64{},
		wake: make(chan struct{}, 1)}, nil
}

// Offer fills in the message's envelope, wall and boot time excepted, and queues it. It does not wait for the log.
// The message is the publisher's from then on.
func (p *Publisher) Offer(m *schema.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := m.Count()
	m.Version, m.Host, m.BootID, m.Instance = schema.Version, p.cfg.Origin.Host, p.cfg.Origin.BootID, p.cfg.Origin.Instance
	m.Seq = p.next[m.Kind] + 1
	m.Produced = p.produced + count
	m.Dropped = p.drops()
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Kind, err) // not numbered: nothing is lost but this
	}
	p.next[m.Kind] += count
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
	p.push(queued{msg, m.Kind, count})
	return nil
}

// Stats returns the counts so far.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Waiting = len(p.queue)
	return s
}

// drops lists what was lost, in the order of the reasons so that equal counts encode equally.
func (p *Publisher) drops() []schema.Drop {
	var drops []schema.Drop
	for _, reason := range slices.Sorted(maps.Keys(p.dropped)) {
		drops = append(drops, schema.Drop{Reason: reason, Count: p.dropped[reason]})
	}
	return drops
}

func (p *Publisher) push(q queued) {
	p.queue = append(p.queue, q)
	p.size += len(q.msg.Data)
	for p.size > p.cfg.MaxQueue && len(p.queue) > p.inFlight {
		p.drop(p.oldest(), dropQueueFull)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// oldest is the first message that may go: a snapshot, for the next one tells much the same; else an event.
func (p *Publisher) oldest() int {
	for i := p.inFlight; i < len(p.queue); i++ {
		if p.queue[i].kind == schema.KindSnapshot {
			return i
		}
	}
	return p.inFlight
}

func (p *Publisher) drop(i int, reason string) {
	q := p.queue[i]
	p.size -= len(q.msg.Data)
	p.queue = slices.Delete(p.queue, i, i+1)
	if p.dropped[reason] == 0 {
		p.cfg.Log.Warn("losing items", "reason", reason)
	}
	p.dropped[reason] += q.count
	p.stats.Dropped += q.count
}

// Run publishes until ctx ends, and then for as long as Drain what still waits. It returns an error if
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
// While the log is away it tries again, ever more rarely.
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
			break // no connection, say: what follows must not overtake
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

// tooLarge reports whether the server, or the stream, will never take the message.
func tooLarge(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum)
}

func (p *Publisher) startBatch() []queued {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight = min(len(p.queue), p.window)
	return slices.Clone(p.queue[:p.inFlight])
}

// finishBatch removes what was acknowledged, and what the server will never take, from the head of the queue.
func (p *Publisher) finishBatch(errs []error) (all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight = 0
	all = true
	kept := p.queue[:0]
	var refused []queued
	for i, q := range p.queue {
		switch {
		case i < len(errs) && errs[i] == nil:
			p.stats.Acked += q.count
			p.size -= len(q.msg.Data)
		case i < len(errs) && tooLarge(errs[i]):
			refused = append(refused, q)
		default:
			all = all && i >= len(errs)
			kept = append(kept, q)
		}
	}
	clear(p.queue[len(kept):])
	p.queue = kept
	for _, q := range refused {
		p.queue = slices.Insert(p.queue, 0, q)
		p.drop(0, dropTooLarge)
	}
	p.window = 1
	if all {
		p.window = publishWindow
	}
	p.logFailure(all, errs)
	return all
}

// logFailure logs why publishing fails, once for each spell of failures, and its end.
func (p *Publisher) logFailure(all bool, errs []error) {
	if all && p.failing {
		p.failing = false
		p.cfg.Log.Info("the log takes messages again", "waiting", len(p.queue))
	}
	if all || p.failing {
		return
	}
	for _, err := range errs {
		if err != nil && !tooLarge(err) && !errors.Is(err, errNotSent) && !errors.Is(err, context.Canceled) {
			p.failing = true
			p.cfg.Log.Warn("the log does not take messages, they wait", "waiting", len(p.queue), "err", err)
			return
		}
	}
}
