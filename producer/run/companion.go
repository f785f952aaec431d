package run

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
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/events"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// CompanionConfig sets a companion. Host, Job and Args may not be empty.
type CompanionConfig struct {
	Host      string
	Job       string
	Sheet     schema.Opt[int64] // the step that the command is
	Run       schema.RunID      // the run that the step is of; zero: the one that is open. Without a step it is the command's own, and never zero
	Args      []string          // the command
	Argv      scrub.Mode        // default scrubbed
	JobsAlone bool              // job events are published and nothing else: the connection may publish no more
	Away      bool              // the log does not answer now: JobsAlone, and what is published waits on disk, in Lives, and not for the log
	Into      string            // names the log to which the companion publishes, see [publish.Config]
	Domain    string            // of JetStream, for [schema.JetStream]
	Lives     string            // folder in which the companion writes down what it has made, for a sampler to find; empty for none
	Log       *slog.Logger
}

// Companion accompanies one command that this process starts: it publishes the command's job and how it ends, counts the
// processes that the command starts and, where no sampler of this machine sees every start and end, publishes those too.
// Its methods are called by one goroutine, except Watch.
type Companion struct {
	cfg          CompanionConfig
	nc           *nats.Conn         // nil: there is no log
	publisher    *publish.Publisher // the same
	watcher      *events.Watcher    // nil: processes cannot be watched
	fs           *procfs.FS
	scrubber     *scrub.Scrubber
	sampler      schema.SamplerState // what records this host
	processes    int64
	peak         schema.Opt[int64]  // KiB, of the largest process that has ended
	subscription *jobs.Subscription // to job events, which may declare jobs inside this one; nil: there is no log
	bootID       string
	instance     schema.Instance
	published    chan error
	stop         context.CancelFunc
}

// NewCompanion publishes the job of the command that is about to start as a child of this process. Without a connection
// nothing is recorded, and processes are only counted. The caller calls Close, also after an error of its command.
func NewCompanion(ctx context.Context, nc *nats.Conn, cfg CompanionConfig) (*Companion, error) {
	if cfg.Argv == "" {
		cfg.Argv = scrub.Scrubbed
	}
	cfg.Job = jobs.Name(cfg.Job)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.JobsAlone = cfg.JobsAlone || cfg.Away
	c := &Companion{cfg: cfg, nc: nc, fs: procfs.New(""), scrubber: scrub.New(cfg.Argv), stop: func() {}}
	if nc != nil {
		if err := c.startPublishing(ctx); err != nil {
			return c, err
		}
	}
	c.openWatcher()
	if c.publisher == nil {
		return c, nil
	}
	return c, c.publishDeclaration(ctx)
}

// Sampler is what records this host.
func (c *Companion) Sampler() schema.SamplerState { return c.sampler }

// startPublishing starts to publish, and finds out whether a sampler records this host.
func (c *Companion) startPublishing(ctx context.Context) error {
	boot, _ := c.fs.BootID() // without the kernel's, the one that the sampler makes too
	c.bootID, c.instance = boot, schema.NewInstance()
	about := c.cfg.Log
	if c.cfg.Away {
		about = slog.New(slog.DiscardHandler) // who calls knows that the log does not answer, and learns here what is not on disk
	}
	publisher, err := publish.New(c.nc, publish.Config{
		Origin:   publish.Origin{Host: c.cfg.Host, BootID: boot, Instance: c.instance},
		MaxQueue: 8 << 20, Drain: timeFor(&c.cfg), Lives: c.cfg.Lives, Into: c.cfg.Into, Log: about})
	if err != nil {
		return err
	}
	c.publisher, c.published = publisher, make(chan error, 1)
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() { c.published <- publisher.Run(publishing) }()
	if !c.cfg.Away {
		c.sampler = findSampler(ctx, c.nc, c.cfg.Domain, c.cfg.Host)
	}
	return nil
}

// answerTime is for how long a log that may answer is waited for.
const answerTime = 3 * time.Second

// timeFor is for how long this log is waited for.
func timeFor(cfg *CompanionConfig) time.Duration {
	if cfg.Away {
		return time.Nanosecond
	}
	return answerTime
}

// openWatcher begins to watch what this process starts, if the machine allows it.
func (c *Companion) openWatcher() {
	kinds := []lifecycle.SourceKind{lifecycle.KindTaskstats, lifecycle.KindConnector, lifecycle.KindPidfd}
	describer := events.Describer{FS: c.fs, Scrubber: c.scrubber}
	source, _, err := lifecycle.Open(lifecycle.Config{Describe: describer.Describe, Log: c.cfg.Log}, kinds)
	if err != nil {
		return // the command runs unwatched
	}
	claims := jobs.NewClaims(jobs.Naming{}, 0, nil)
	_, boot := procfs.ReadClocks()
	declared := c.jobEvent(schema.JobDeclared)
	declared.OwnEvents = false // else this watcher would leave the events to itself
	claims.ApplyJobEvent(declared, boot)
	c.watcher = events.NewWatcher(events.Config{
		Source: source, Claims: claims, OOM: oom.Open(oom.Config{Log: c.cfg.Log}), SampledCPU: c.sampledCPU})
	if c.nc != nil {
		c.subscribe(claims)
	}
}

// subscribe begins to receive the jobs that the command declares: their processes do not belong to this one.
func (c *Companion) subscribe(claims *jobs.Claims) {
	c.subscription = jobs.NewSubscription(c.nc, jobs.SubscriptionConfig{
		Host: c.cfg.Host, BootID: c.bootID, Own: c.instance, Claims: claims, Trouble: trouble.NewReporter(c.cfg.Log)})
	stopJobs, err := c.subscription.Start()
	if err != nil {
		c.cfg.Log.Debug("processes of jobs inside this one count as its own", "err", err)
		return
	}
	stop := c.stop
	c.stop = func() {
		stopJobs()
		stop()
	}
}

// sampledCPU is how much CPU the snapshots have of a process: nothing, where no sampler makes any.
func (c *Companion) sampledCPU(int, uint64) schema.Opt[int64] {
	if c.sampler.Lives {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(0))
}

// jobEvent is a job event of a type, about this process's command, now.
func (c *Companion) jobEvent(t schema.JobEventType) *schema.JobEvent {
	wall, _ := procfs.ReadClocks()
	own, _ := readStat(os.Getpid()) // without it the start is unknown
	return &schema.JobEvent{Type: t, Wall: wall, JobID: c.cfg.Job, Sheet: c.cfg.Sheet, PID: schema.Some(int64(os.Getpid())), StartTicks: own.start,
		Supervisor: true, OwnEvents: !c.sampler.SeesAll && !c.cfg.JobsAlone && c.watcher != nil, Run: c.cfg.Run, Join: c.cfg.Run.IsZero()}
}

// publishDeclaration publishes which job this process's children belong to, and waits until the log has that: so a sampler
// receives it before it sees the first of them.
func (c *Companion) publishDeclaration(ctx context.Context) error {
	declared := c.jobEvent(schema.JobDeclared)
	declared.Status, declared.Command = "running", c.scrubber.Command(c.cfg.Args[0], procfs.ShortArgs(c.cfg.Args))
	list := []schema.JobEvent{*declared}
	if c.cfg.Sheet.Known {
		list[0].Sheet = schema.Opt[int64]{}
		list = append(list, *c.jobEvent(schema.JobSheetStarted))
	}
	if err := c.offer(list...); err != nil {
		return err
	}
	return awaitLog(ctx, c.publisher, timeFor(&c.cfg))
}

// awaitLog waits until the log has all that was made. What it does not take in time goes to disk, where that is possible: it returns a
// [*publish.LeftError] then.
func awaitLog(ctx context.Context, p *publish.Publisher, atMost time.Duration) error {
	deadline := time.NewTimer(atMost)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		s := p.Stats()
		if s.Acked == s.Produced {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return &publish.LeftError{Messages: s.Waiting, Within: atMost, Kept: publish.Keep(p)}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Companion) offer(list ...schema.JobEvent) error {
	wall, boot := procfs.ReadClocks()
	return c.publisher.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindJob, Wall: wall, Boot: boot}, Jobs: list})
}

// Watch follows the command's processes until ctx ends.
func (c *Companion) Watch(ctx context.Context) {
	if c.watcher == nil {
		return
	}
	schedule := events.NewPollSchedule()
	defer schedule.Stop()
	var requester sync.WaitGroup
	defer requester.Wait()
	requester.Go(func() {
		if err := schedule.RequestPolls(ctx, c.watcher.Wait); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("watching the command's processes", "err", err)
		}
	})
	for {
		select {
		case <-ctx.Done():
			c.subscription.WaitForEarlier()
			c.publishDue(math.MaxInt64)
			return
		case <-schedule.PollDue():
			c.poll()
			schedule.Polled()
		case <-schedule.PublishDue():
			_, boot := procfs.ReadClocks()
			c.publishDue(boot - int64(lifecycle.EventDelay))
			schedule.Published()
		case msg := <-c.subscription.Messages():
			c.subscription.Apply(msg)
		}
	}
}

// poll reads the kernel's events.
func (c *Companion) poll() {
	if err := c.watcher.Poll(); err != nil {
		c.cfg.Log.Warn("watching the command's processes", "err", err)
	}
}

// publishDue reads the kernel's events, and counts and publishes the events that are due by a boot time.
func (c *Companion) publishDue(until int64) {
	c.poll()
	c.subscription.ApplyWaiting()
	due, gaps, err := c.watcher.Take(until)
	if err != nil {
		c.cfg.Log.Debug("telling kills for want of memory apart", "err", err)
	}
	due = slices.DeleteFunc(due, func(e schema.KindedEvent) bool { return e.Event.Job() != schema.JobKey{ID: c.cfg.Job} })
	for _, e := range due {
		switch {
		case e.Kind == schema.KindSpawn:
			c.processes++
		case e.Kind == schema.KindExit && e.Event.PeakRSS.V > c.peak.V:
			c.peak = e.Event.PeakRSS
		}
	}
	if c.publisher == nil || c.sampler.SeesAll || c.cfg.JobsAlone {
		return
	}
	wall, boot := procfs.ReadClocks()
	if err := errors.Join(c.publisher.OfferEvents(wall, boot, due), c.publisher.OfferGaps(wall, boot, gaps)); err != nil {
		c.cfg.Log.Warn("events of the command are not recorded", "err", err)
	}
}

// Processes is how many processes there were of the command, itself included; unknown when they could not be watched, or not even the
// command itself was seen, as in a pid namespace. It is final when Watch has returned.
func (c *Companion) Processes() schema.Opt[uint64] {
	if c.watcher == nil || c.processes == 0 {
		return schema.Opt[uint64]{}
	}
	return schema.Some(uint64(c.processes))
}

// PeakRSS is the most resident memory that one of the command's processes had, in KiB, as far as their exits say.
// It is final when Watch has returned.
func (c *Companion) PeakRSS() schema.Opt[int64] { return c.peak }

// End publishes how the command ended, by its exit code and the signal that ended it. A step that has ended leaves its job open.
func (c *Companion) End(exitCode int, signal unix.Signal, totals *schema.Totals) error {
	if c.publisher == nil {
		return nil
	}
	e := c.jobEvent(schema.JobEnded)
	if c.cfg.Sheet.Known {
		e = c.jobEvent(schema.JobSheetEnded)
	}
	e.ExitCode, e.Status, e.Totals = schema.Some(int64(exitCode)), "completed", totals
	if signal != 0 {
		e.Signal = schema.Some(int64(signal))
	}
	if exitCode != 0 {
		e.Status = "failed"
	}
	if c.cfg.Sheet.Known && exitCode == 0 {
		e.LastCompleted = c.cfg.Sheet
	}
	return c.offer(*e)
}

// Close publishes what waits, for a few seconds at most, and closes what the companion opened.
func (c *Companion) Close() error {
	var errs []error
	if c.publisher != nil {
		if c.cfg.Away && c.nc.IsConnected() {
			_ = awaitLog(context.Background(), c.publisher, answerTime) // what it did not take waits on disk
		}
		c.stop()
		if err := <-c.published; err != nil {
			errs = append(errs, fmt.Errorf("publish what waits: %w", err))
		}
	}
	if c.watcher != nil {
		errs = append(errs, c.watcher.Close())
	}
	return errors.Join(append(errs, c.fs.Close())...)
}
