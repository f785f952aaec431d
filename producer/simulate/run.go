package simulate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/schema"
)

// Load says what [Run] publishes, and how. The zero value of each field but Fleet works.
type Load struct {
	Fleet    Config        // Run sets its Start
	Duration time.Duration // of simulated time; 0 for no end
	Fast     bool          // as fast as the log takes it, instead of as it comes due; needs a Duration
	Progress func(Report)  // called about once a second while Run runs, by one goroutine
	Log      *slog.Logger
}

// MaxDuration is the longest a load may last.
const MaxDuration = 10 * 365 * 24 * time.Hour

// Validate returns a *[FieldError] for the first field that is out of its range.
func (l Load) Validate() error {
	if l.Duration < 0 || l.Duration > MaxDuration || l.Fast && l.Duration == 0 {
		return &FieldError{"duration", l.Duration, fmt.Sprintf("a time to simulate, up to %s", MaxDuration)}
	}
	l.Fleet.Start = l.start(time.Now())
	return l.Fleet.Validate()
}

// steps is how many steps each host takes.
func (l Load) steps() int {
	if l.Duration == 0 || l.Fleet.Interval <= 0 {
		return math.MaxInt
	}
	return int(max(1, l.Duration/l.Fleet.Interval))
}

// start is when the first snapshot is due in a run that begins now: as soon as the fleet is made, for which some time
// is allowed; or so long ago that the last one is due now.
func (l Load) start(now time.Time) time.Time {
	if l.Fast {
		return now.Add(-time.Duration(l.steps()) * l.Fleet.Interval)
	}
	return now.Add(250*time.Millisecond + time.Duration(l.Fleet.Hosts)*time.Duration(l.Fleet.Processes)*2*time.Microsecond)
}

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

// runner is a load under way.
type runner struct {
	cfg     Load
	nc      *nats.Conn
	js      jetstream.JetStream
	senders []sender
	began   time.Time
	sent    nats.Statistics // of the connection, before
	fail    context.CancelCauseFunc

	mu     sync.Mutex // the fleet, whose hosts make their messages in the same memory, and what follows
	counts counts
	acks   latencies
	lag    lagWatch
}

// sender is a host and its publisher. One goroutine at a time uses it.
type sender struct {
	host      *Host
	publisher *publish.Publisher
	offered   time.Time // since when messages wait for the log; zero when none does
}

// queueBytes is how much may wait for the log, of all hosts together. One snapshot has room in any case.
const queueBytes = 256 << 20

func newRunner(nc *nats.Conn, cfg Load) (*runner, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	cfg.Fleet.Start = cfg.start(time.Now())
	fleet, err := NewFleet(cfg.Fleet)
	if err != nil {
		return nil, err
	}
	l := &runner{cfg: cfg, nc: nc, js: js, sent: nc.Stats(), senders: make([]sender, fleet.Len())}
	for i := range l.senders {
		h := fleet.Host(i)
		p, err := publish.New(nc, publish.Config{
			Origin:   publish.Origin{Host: h.name, BootID: h.bootID, Instance: schema.NewInstance()},
			MaxQueue: max(queueBytes/cfg.Fleet.Hosts, 1024*cfg.Fleet.Processes),
			Drain:    max(cfg.Fleet.Interval, 5*time.Second), Log: cfg.Log,
		})
		if err != nil {
			return nil, err
		}
		l.senders[i] = sender{host: h, publisher: p}
	}
	if l.began = time.Now(); !cfg.Fast {
		l.began = cfg.Fleet.Start
	}
	return l, nil
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
// as long as a publisher drains. What still waits then goes with the next turn.
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
