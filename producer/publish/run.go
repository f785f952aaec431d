package publish

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// LeftError says that the log did not take all that was published in the time that it had after the stop.
type LeftError struct {
	Messages int
	Within   time.Duration
	Kept     bool // in the folder of lives: the next sampler of the host publishes them
}

func (e *LeftError) Error() string {
	said := fmt.Sprintf("%d messages were not acknowledged within %s of the stop", e.Messages, e.Within)
	if e.Kept {
		said += "; they wait on disk, and the next recorder or sampler of this host publishes them"
	}
	return said
}

// Run publishes until ctx ends, and then for as long as Drain what waits. It returns a *[LeftError] if something was left. With
// Lives that is written down for the next life to publish, up to [MostLeft] bytes of it, and the log is told how far this life
// came if it still takes a message.
func (p *Publisher) Run(ctx context.Context) error {
	flushing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(p.cfg.Drain, cancel) })
	defer stop()

	defer lifeKeeper{p}.start()()
	p.publish(ctx, flushing)
	p.drain(flushing)
	left := &LeftError{Messages: p.Stats().Waiting, Within: p.cfg.Drain}
	if left.Messages == 0 {
		return nil
	}
	if p.lives != nil {
		left.Kept = p.leave()
	}
	return left
}

// drain publishes what waits, until ctx ends.
func (p *Publisher) drain(ctx context.Context) {
	for p.Stats().Waiting > 0 && ctx.Err() == nil {
		if !p.flush(ctx) {
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// publish flushes the queue whenever it grows, until ctx ends; a flush under way then goes on until flushing ends.
// While the log is away it tries again, at growing intervals.
func (p *Publisher) publish(ctx, flushing context.Context) {
	const first, last = 100 * time.Millisecond, 5 * time.Second
	wait := first
	for {
		p.cfg.Beat()
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
		futures[i], errs[i] = p.js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(ackTime))
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

func (p *Publisher) startBatch() []queued {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.startBatch()
}

// finishBatch takes over what came of a batch, and reports it. It reports whether nothing of it is left.
func (p *Publisher) finishBatch(errs []error) bool {
	p.mu.Lock()
	for i, err := range errs {
		if m := p.queue.messages[i]; err == nil && len(m.ends) > 0 {
			p.ended.told(schema.StreamFor(m.kind), m.ends)
		}
	}
	all, acked, refused := p.queue.finishBatch(errs)
	p.stats.Acked += acked
	p.stats.Dropped += refused
	dropped, waiting := p.stats.Dropped, len(p.queue.messages)
	p.mu.Unlock()

	if refused > 0 {
		p.spells.loses(dropTooLarge, refused)
	}
	p.spells.published(all, dropped, waiting, errs)
	return all
}

// lastWordTime is how long the log may take for the last word of a life, whose time to publish is over.
const lastWordTime = time.Second

// leave sets aside what waits, to be written down with what this life has reached. The newest message of each stream tells how far this
// life came, and is published if the log takes it now. Messages that earlier lives left stay in their own files. It reports whether
// all of its own is kept.
func (p *Publisher) leave() (all bool) {
	p.mu.Lock()
	p.ended.forget(p.queue.removeInherited())
	over := p.queue.dropOver(MostLeft)
	p.stats.Dropped += over
	others := p.queue.takeOthers()
	end := lifeKeeper{p}.reached(true)
	for i := range p.queue.messages {
		p.queue.replace(i, withEnd(p.queue.messages[i], end, p.stats.Acked))
	}
	p.mu.Unlock()
	brief, cancel := context.WithTimeout(context.Background(), lastWordTime)
	defer cancel()
	p.drain(brief)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = append(others, p.queue.messages...)
	for i := range p.left {
		p.stats.Left += p.left[i].count
	}
	p.queue.messages, p.queue.size = nil, 0
	return over == 0
}

// withEnd is a message that waits, with what its life had reached. One that cannot be changed stays as it is.
func withEnd(q queued, end schema.End, acked uint64) queued {
	m, err := schema.DecodeMsg(q.msg.Subject, q.msg.Header, q.msg.Data)
	if err != nil {
		return q
	}
	m.Dropped, m.Acked, m.Ended = end.Dropped, acked, []schema.End{end}
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return q
	}
	return newQueued(m, payload, encoding)
}
