package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// CompanionConfig sets a companion. Host, Job and Args may not be empty.
type CompanionConfig struct {
	Host  string
	Job   string
	Sheet schema.Opt[int64] // the step that the command is
	Args  []string          // the command
	Argv  scrub.Mode        // default scrubbed
	Log   *slog.Logger
}

// Companion accompanies one command that this process starts: it tells the log whose the command is and how it ends,
// counts what the command starts and, where no sampler of this machine sees every start and end, publishes those too.
// Its methods are called by one goroutine, but for Watch.
type Companion struct {
	cfg            CompanionConfig
	publisher      *Publisher // nil: there is no log
	watcher        *Watcher   // nil: processes cannot be watched
	fs             *procfs.FS
	scrubber       *scrub.Scrubber
	samplerLives   bool // a sampler of this host is at work
	samplerSeesAll bool // and sees every start and end
	processes      int64
	peak           schema.Opt[int64] // KiB, of the largest process that has ended
	subscription   Subscription      // of jobs inside this one
	published      chan error
	stop           context.CancelFunc
}

// NewCompanion tells the log of the command that is about to start as a child of this process. Without a connection
// nothing is recorded, and only counted. The caller calls Close, also after an error of its command.
func NewCompanion(ctx context.Context, nc *nats.Conn, cfg CompanionConfig) (*Companion, error) {
	if cfg.Argv == "" {
		cfg.Argv = scrub.Scrubbed
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	c := &Companion{cfg: cfg, fs: procfs.New(""), scrubber: scrub.New(cfg.Argv), stop: func() {}}
	if nc != nil {
		if err := c.open(ctx, nc); err != nil {
			return c, err
		}
	}
	c.watch()
	if c.publisher == nil {
		return c, nil
	}
	return c, c.publishDeclaration(ctx)
}

// open begins to publish, and looks whether a sampler of this host is at work.
func (c *Companion) open(ctx context.Context, nc *nats.Conn) error {
	boot, err := c.fs.BootID()
	if err != nil {
		return err
	}
	origin := Origin{Host: c.cfg.Host, BootID: boot, Instance: schema.NewInstance()}
	publisher, err := NewPublisher(nc, PublisherConfig{
		Origin: origin, MaxQueue: 8 << 20, Drain: 3 * time.Second, Log: c.cfg.Log})
	if err != nil {
		return err
	}
	c.publisher, c.published = publisher, make(chan error, 1)
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() { c.published <- publisher.Run(publishing) }()
	c.samplerLives, c.samplerSeesAll = findSampler(ctx, nc, c.cfg.Host)
	c.subscription = Subscription{nc: nc, host: c.cfg.Host, bootID: boot, own: origin.Instance, log: c.cfg.Log}
	return nil
}

// findSampler looks for a sampler of a host by its newest snapshot. Where it may not look, there may be one.
func findSampler(ctx context.Context, nc *nats.Conn, host string) (live, exact bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return true, false
	}
	stream, err := js.Stream(ctx, schema.StreamSnapshots)
	if err != nil {
		return !errors.Is(err, jetstream.ErrStreamNotFound), false
	}
	msg, err := stream.GetLastMsgForSubject(ctx, schema.Subject(host, schema.KindSnapshot))
	if err != nil {
		return !errors.Is(err, jetstream.ErrMsgNotFound), false
	}
	m, err := schema.DecodeOf(msg.Subject, msg.Header.Get(schema.HeaderType), msg.Header.Get(schema.HeaderEncoding), msg.Data)
	if err != nil || time.Since(msg.Time) > 3*time.Duration(m.Snapshot.Interval)+2*time.Second {
		return false, false
	}
	has := func(r lifecycle.SourceKind) bool { return slices.Contains(m.Snapshot.Capabilities, string(r)) }
	return true, has(lifecycle.KindTaskstats) || has(lifecycle.KindConnector)
}

// watch begins to watch what this process starts, if the machine allows it.
func (c *Companion) watch() {
	rungs := []lifecycle.SourceKind{lifecycle.KindTaskstats, lifecycle.KindConnector, lifecycle.KindPidfd}
	source, _, err := lifecycle.Open(lifecycle.Config{Describe: c.describe, Log: c.cfg.Log}, rungs)
	if err != nil {
		return // the command runs unwatched
	}
	jobs := &Claims{}
	_, boot := ReadClocks()
	jobs.ApplyJobEvent(c.event(schema.JobDeclared), boot)
	c.listen(jobs)
	c.watcher = &Watcher{source: source, claims: jobs, oom: oom.Open(oom.Config{Log: c.cfg.Log}), sampled: c.sampledCPU}
}

// listen begins to hear of jobs that the command declares: their processes are not this one's.
func (c *Companion) listen(jobs *Claims) {
	if c.subscription.nc == nil {
		return
	}
	c.subscription.claims = jobs
	deaf, err := c.subscription.Start()
	if err != nil {
		c.cfg.Log.Debug("jobs inside this one are taken for its own", "err", err)
		return
	}
	stop := c.stop
	c.stop = func() {
		deaf()
		stop()
	}
}

func (c *Companion) describe(pid int) (lifecycle.Description, bool) {
	p, err := c.fs.Process(pid, procfs.Options{})
	if errors.Is(err, procfs.ErrGone) || p.StartTicks == 0 && err != nil {
		return lifecycle.Description{}, false
	}
	return lifecycle.Description{PPID: p.PPID, StartTicks: p.StartTicks, UID: optUint(p.UIDKnown, uint64(p.UID)),
		Command: c.scrubber.Command(p.Comm, p.Args)}, true
}

// sampledCPU is what snapshots have of a process: nothing, where no sampler makes any.
func (c *Companion) sampledCPU(int, uint64) schema.Opt[int64] {
	if c.samplerLives {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(0))
}

// event is what there is to say of the job.
func (c *Companion) event(t schema.JobEventType) *schema.JobEvent {
	wall, _ := ReadClocks()
	return &schema.JobEvent{Type: t, Wall: wall, JobID: c.cfg.Job, Sheet: c.cfg.Sheet, PID: schema.Some(int64(os.Getpid())),
		Supervisor: true, OwnEvents: !c.samplerSeesAll && c.watcher != nil}
}

// publishDeclaration tells the log whose this process's children are, and waits until it has that: a sampler hears it before it
// sees the first of them.
func (c *Companion) publishDeclaration(ctx context.Context) error {
	declared := c.event(schema.JobDeclared)
	declared.Status, declared.Command = "running", c.scrubber.Command(c.cfg.Args[0], c.cfg.Args)
	events := []schema.JobEvent{*declared}
	if c.cfg.Sheet.Known {
		declared.Sheet, events[0].Sheet = schema.Opt[int64]{}, schema.Opt[int64]{}
		events = append(events, *c.event(schema.JobSheetStarted))
	}
	if err := c.offer(events...); err != nil {
		return err
	}
	deadline := time.NewTimer(3 * time.Second)
	defer deadline.Stop()
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		if s := c.publisher.Stats(); s.Acked == s.Produced {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return errors.New("the log does not answer")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Companion) offer(events ...schema.JobEvent) error {
	wall, boot := ReadClocks()
	return c.publisher.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindJob, Wall: wall, Boot: boot}, Jobs: events})
}

// Watch follows the command's processes until ctx ends.
func (c *Companion) Watch(ctx context.Context) {
	if c.watcher == nil {
		return
	}
	pace := NewPollSchedule()
	defer pace.publishTicker.Stop()
	var follower sync.WaitGroup
	defer follower.Wait()
	follower.Go(func() {
		if err := pace.RequestPolls(ctx, c.watcher.source); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("watching the command's processes", "err", err)
		}
	})
	for {
		select {
		case <-ctx.Done():
			c.subscription.WaitForEarlier()
			c.publishDue(math.MaxInt64)
			return
		case <-pace.PollDue:
			c.poll()
			pace.Polled()
		case <-pace.publishTicker.C:
			_, boot := ReadClocks()
			c.publishDue(boot - int64(lifecycle.EventDelay))
			pace.Published()
		case msg := <-c.subscription.Messages:
			c.subscription.Apply(msg.Subject, msg.Header, msg.Data)
		}
	}
}

// poll takes in what the kernel has told.
func (c *Companion) poll() {
	if _, err := c.watcher.source.Poll(); err != nil {
		c.cfg.Log.Warn("watching the command's processes", "err", err)
	}
}

// publishDue takes in what the kernel has told, and counts and publishes what is due by a boot time.
func (c *Companion) publishDue(until int64) {
	c.poll()
	c.subscription.ApplyWaiting()
	events, gaps, err := c.watcher.Take(until)
	if err != nil {
		c.cfg.Log.Debug("telling kills for want of memory apart", "err", err)
	}
	events = slices.DeleteFunc(events, func(o lifecycle.KindedEvent) bool { return o.Event.JobID != c.cfg.Job })
	for _, o := range events {
		switch {
		case o.Kind == schema.KindSpawn:
			c.processes++
		case o.Kind == schema.KindExit && o.Event.PeakRSS.V > c.peak.V:
			c.peak = o.Event.PeakRSS
		}
	}
	if c.publisher == nil || c.samplerSeesAll {
		return
	}
	wall, boot := ReadClocks()
	if err := errors.Join(OfferEvents(c.publisher, wall, boot, events), OfferGaps(c.publisher, wall, boot, gaps)); err != nil {
		c.cfg.Log.Warn("events of the command are not recorded", "err", err)
	}
}

// Processes is how many processes the command came to, itself included; unknown when they could not be watched. It is
// final when Watch has returned.
func (c *Companion) Processes() schema.Opt[uint64] {
	if c.watcher == nil {
		return schema.Opt[uint64]{}
	}
	return schema.Some(uint64(c.processes))
}

// PeakRSS is the most resident memory that one of the command's processes had, in KiB, as far as their ends told.
// It is final when Watch has returned.
func (c *Companion) PeakRSS() schema.Opt[int64] { return c.peak }

// End tells the log how the command ended. A step that has ended leaves its job open.
func (c *Companion) End(exitCode int) error {
	if c.publisher == nil {
		return nil
	}
	e := c.event(schema.JobEnded)
	if c.cfg.Sheet.Known {
		e = c.event(schema.JobSheetEnded)
	}
	e.ExitCode, e.Status = schema.Some(int64(exitCode)), "completed"
	if exitCode != 0 {
		e.Status = "failed"
	}
	if c.cfg.Sheet.Known && exitCode == 0 {
		e.LastCompleted = c.cfg.Sheet
	}
	return c.offer(*e)
}

// Close publishes what waits, for a few seconds at most, and lets go of all.
func (c *Companion) Close() error {
	var errs []error
	if c.publisher != nil {
		c.stop()
		if err := <-c.published; err != nil {
			errs = append(errs, fmt.Errorf("tell the log: %w", err))
		}
	}
	if c.watcher != nil {
		errs = append(errs, c.watcher.source.Close(), c.watcher.oom.Close())
	}
	return errors.Join(append(errs, c.fs.Close())...)
}
