package simulate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Run publishes a fleet's messages through nc until the duration is over or ctx ends, and then waits until the log has
// them. Every host has a publisher of its own, as on machines of their own; all share the connection, which must not
// buffer while it reconnects (see [publish.New]). The caller closes nc.
//
// No step is left out: what comes late, because the machine or the log is too slow, comes all the same, and the report
// says how late. With Fast the simulated time ends now. An error says what was not acknowledged; the report holds
// with it.
func Run(ctx context.Context, nc *nats.Conn, cfg Load) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	l, err := newRunner(nc, cfg)
	if err != nil {
		return Report{}, err
	}
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l.fail = fail

	var watchers sync.WaitGroup
	watching, stop := context.WithCancel(running)
	watchers.Go(func() { every(watching, time.Second, l.readLag) })
	watchers.Go(func() { every(watching, time.Second, l.showProgress) })
	if cfg.Fast {
		l.rush(running)
	} else {
		l.pace(running)
	}
	took := time.Since(l.began)
	stop()
	watchers.Wait()
	l.readLag(context.WithoutCancel(ctx))

	r := l.report()
	r.Elapsed = took
	switch {
	case running.Err() != nil && ctx.Err() == nil:
		return r, context.Cause(running)
	case r.Unacknowledged > 0:
		return r, fmt.Errorf("%d items were not acknowledged by the log", r.Unacknowledged)
	}
	return r, nil
}

// every calls f in every period until ctx ends.
func every(ctx context.Context, period time.Duration, f func(context.Context)) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f(ctx)
		}
	}
}

// pace lets every host take its steps as they come due.
func (l *runner) pace(ctx context.Context) {
	var hosts sync.WaitGroup
	for i := range l.senders {
		hosts.Go(func() { l.paceHost(ctx, &l.senders[i], l.cfg.Fleet.phase(i)) })
	}
	hosts.Wait()
}

func (l *runner) paceHost(ctx context.Context, s *sender, phase time.Duration) {
	interval := l.cfg.Fleet.Interval
	due := l.cfg.Fleet.Start.Add(phase)
	for left := l.cfg.steps(); left > 0 && waitUntil(ctx, due); {
		late := time.Since(due)
		n := min(1+int(late/interval), left)
		l.turn(ctx, s, n, late)
		due = due.Add(time.Duration(n) * interval)
		left -= n
	}
}

// waitUntil returns false when ctx ended first.
func waitUntil(ctx context.Context, due time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(due)):
		return ctx.Err() == nil
	}
}

// rushRows is how many rows are made, at least, before their acknowledgements are awaited: enough that the log is never
// idle for want of messages.
const rushRows = 50_000

// rush lets the hosts take their steps as fast as the log takes them, all at much the same simulated time.
func (l *runner) rush(ctx context.Context) {
	round := max(1, rushRows/(l.cfg.Fleet.Hosts*l.cfg.Fleet.Processes))
	for left := l.cfg.steps(); left > 0 && ctx.Err() == nil; left -= round {
		var hosts sync.WaitGroup
		for i := range l.senders {
			hosts.Go(func() { l.turn(ctx, &l.senders[i], min(round, left), 0) })
		}
		hosts.Wait()
	}
}

// turn lets a host take n steps, and waits until the log has what they made: with Fast for as long as it takes, else for
// as long as a publisher drains. What waits then goes with the next turn.
func (l *runner) turn(ctx context.Context, s *sender, n int, late time.Duration) {
	if err := l.offer(s, n, late); err != nil {
		l.fail(err)
		return
	}
	for {
		if err := s.publisher.Run(ended); err == nil { // which publishes what waits, and returns
			l.acknowledged(s)
			return
		}
		if !l.cfg.Fast || ctx.Err() != nil {
			return
		}
	}
}

// ended is a context that has ended.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// offer makes the messages of n steps and hands them to the host's publisher, which encodes them at once.
func (l *runner) offer(s *sender, n int, late time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	began := time.Now()
	for range n {
		for _, m := range s.host.Step() {
			if err := s.publisher.Offer(&m); err != nil {
				return fmt.Errorf("host %s: %w", s.host.name, err)
			}
			l.counts.add(&m)
		}
	}
	now := time.Now()
	if s.offered.IsZero() {
		s.offered = now
	}
	l.counts.making += now.Sub(began)
	l.counts.late = max(l.counts.late, late)
	return nil
}

func (l *runner) acknowledged(s *sender) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks.add(time.Since(s.offered))
	s.offered = time.Time{}
}
