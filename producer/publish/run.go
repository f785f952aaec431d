package publish

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// LeftError says that the log did not take all that was published in the time that it had after the stop.
type LeftError struct {
	Messages int
	Within   time.Duration
	Kept     bool   // in the folder of lives, all of them: the next sampler of the host publishes them
	Lost     uint64 // items that went for want of room when they were to be kept
}

func (e *LeftError) Error() string {
	said := fmt.Sprintf("%d messages were not acknowledged within %s of the stop", e.Messages, e.Within)
	switch {
	case e.Kept:
		said += "; they wait on disk, and the next recorder or sampler of this host publishes them"
	case e.Lost > 0:
		said += fmt.Sprintf("; %d items are lost, for the disk has no room for them", e.Lost)
	}
	return said
}

// Run publishes until ctx ends, and then for as long as Drain what waits. It returns a *[LeftError] if something was left. With
// Lives that waits on disk for the next life to publish.
func (p *Publisher) Run(ctx context.Context) error {
	flushing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(p.cfg.Drain, cancel) })
	defer stop()

	defer lifeKeeper{p}.start()()
	p.publish(ctx, flushing)
	p.drain(flushing)
	before := p.Stats()
	left := &LeftError{Messages: before.Waiting, Within: p.cfg.Drain}
	if left.Messages == 0 {
		return nil
	}
	kept := spiller{p}.leave()
	left.Lost = p.Stats().Dropped - before.Dropped
	left.Kept = kept && left.Lost == 0
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
	batch := batcher{p}.startBatch()
	if len(batch) == 0 {
		return p.Stats().Waiting == 0
	}
	began := time.Now()
	futures, sent := make([]jetstream.PubAckFuture, len(batch)), make([]time.Time, len(batch))
	errs := make([]error, len(batch))
	reconnects := p.js.Conn().Stats().Reconnects
	for i, q := range batch {
		if p.js.Conn().Stats().Reconnects != reconnects {
			break // what was sent last may be lost with the connection before: what follows must not overtake it
		}
		// The client stamps what it sends; a copy keeps the queued message as it is for the next try.
		msg := &nats.Msg{Subject: q.msg.Subject, Header: q.msg.Header, Data: q.msg.Data}
		// The client's own second attempts would be overtaken.
		sent[i] = time.Now()
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
			p.acks.Observe(time.Since(sent[i]))
		case errs[i] = <-f.Err():
		case <-ctx.Done():
			errs[i] = ctx.Err()
		}
	}
	return batcher{p}.finishBatch(batch, errs, time.Since(began))
}
