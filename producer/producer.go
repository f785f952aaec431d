// Package producer samples a host: /proc goes in, numbered messages on the log come out.
package producer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/producer/gpu"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/producer/syscalls"
	"github.com/proctape/proctape/schema"
)

// Config sets a producer. The zero value of each field works.
type Config struct {
	Host          string        // host token; default made of the machine's name
	Interval      time.Duration // between samples; default 5 s, at least 100 ms
	KernelThreads bool          // sample kernel threads too
	Argv          scrub.Mode    // default scrubbed
	ScrubWords    []string      // further words that mark a secret
	Root          string        // where proc is mounted; default /proc
	MaxQueue      int           // bytes that may wait for the log; default 64 MiB
	// Events are the ways of watching processes that may be used, the first that works is; default all.
	Events    []lifecycle.SourceKind
	Rules     []Rule // whose processes are, where nothing says so better
	NvidiaSMI string // program that reads NVIDIA's GPUs; default nvidia-smi
	// Syscalls allows the system calls of processes to be traced, which slows them down meanwhile: those that somebody
	// asks for, and now and then the busiest of the jobs whose name matches one of the patterns of TraceJobs (path.Match).
	Syscalls  bool
	TraceJobs []string
	Log       *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Host == "" {
		name, _ := os.Hostname() // an empty name becomes a token too
		c.Host = schema.HostToken(name)
	}
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Argv = cmp.Or(c.Argv, scrub.Scrubbed)
	c.Log = cmp.Or(c.Log, slog.Default())
	if len(c.Events) == 0 {
		c.Events = lifecycle.SourceKinds
	}
	return c
}

func (c Config) validate() error {
	if !schema.ValidHost(c.Host) {
		return fmt.Errorf("host %q: want 1 to 64 of A-Z a-z 0-9 _ -", c.Host)
	}
	if c.Interval < 100*time.Millisecond {
		return fmt.Errorf("interval %s: want at least 100ms", c.Interval)
	}
	if c.MaxQueue < 0 {
		return fmt.Errorf("max queue %d: want at least 0 bytes", c.MaxQueue)
	}
	if _, err := scrub.ParseMode(string(c.Argv)); err != nil {
		return fmt.Errorf("argv: %w", err)
	}
	for _, pattern := range c.TraceJobs {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("trace jobs %q: %w", pattern, err)
		}
	}
	return nil
}

// Producer samples one host and publishes what it sees.
type Producer struct {
	cfg          Config
	fs           *procfs.FS
	sampler      Sampler
	nc           *nats.Conn
	watcher      Watcher
	schedule     *PollSchedule
	subscription Subscription
	gpus         *gpu.Reader
	profiler     *syscalls.Profiler
	publisher    *Publisher
	capabilities []Capability
}

// New probes what can be seen and returns a producer that publishes through nc. The caller closes nc, after Run.
func New(nc *nats.Conn, cfg Config) (*Producer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	_, began := ReadClocks()
	fs := procfs.New(cfg.Root)
	boot, err := fs.BootID()
	if err != nil {
		return nil, fmt.Errorf("read the boot id: %w", err)
	}
	pub, err := NewPublisher(nc, PublisherConfig{
		Origin:   Origin{Host: cfg.Host, BootID: boot, Instance: schema.NewInstance()},
		MaxQueue: cfg.MaxQueue, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	caps := Probe(fs, cfg.Argv)
	// What the probe knows of a process the sampler would not read again, and the probe read no environments.
	if err := fs.Close(); err != nil {
		return nil, fmt.Errorf("forget the probe: %w", err)
	}
	p := &Producer{
		cfg: cfg, fs: fs, publisher: pub, nc: nc, schedule: NewPollSchedule(), gpus: gpu.Open(gpu.Config{NvidiaSMI: cfg.NvidiaSMI, Interval: cfg.Interval, Log: cfg.Log}),
		sampler: Sampler{
			fs:       fs,
			opt:      procfs.Options{KernelThreads: cfg.KernelThreads, EnvKeys: []string{EnvJob, EnvSheet}},
			scrubber: scrub.New(cfg.Argv, cfg.ScrubWords...), began: began, interval: cfg.Interval,
			claims: Claims{rules: cfg.Rules, keepScans: int64(2*time.Second/cfg.Interval) + 1},
		},
	}
	p.subscription = Subscription{nc: nc, host: cfg.Host, bootID: boot, claims: &p.sampler.claims, log: cfg.Log}
	p.sampler.gpus, p.sampler.gpuMemory = p.gpus.Read, p.gpus.Processes
	p.watcher = Watcher{claims: &p.sampler.claims, sampled: p.sampler.SampledCPU,
		oom: oom.Open(oom.Config{Root: cfg.Root, Log: cfg.Log})}
	var attempts []lifecycle.Attempt
	p.watcher.source, attempts, err = lifecycle.Open(lifecycle.Config{Describe: p.describe, Root: cfg.Root, Log: cfg.Log}, cfg.Events)
	if err != nil {
		return nil, errors.Join(err, p.watcher.oom.Close())
	}
	p.profiler = syscalls.NewProfiler(syscalls.Config{Enabled: cfg.Syscalls, Log: cfg.Log})
	p.sampler.syscalls = p.profiler.Take
	p.capabilities = append(caps, eventCapabilities(p.watcher.source.Kind(), attempts)...)
	p.capabilities = append(p.capabilities, oomCapability(p.watcher.oom), gpuCapability(p.gpus), syscallCapability(cfg.Syscalls))
	p.sampler.caps = capabilityNames(p.capabilities)
	return p, nil
}

// Host is the name under which the producer publishes.
func (p *Producer) Host() string { return p.cfg.Host }

// Interval is the time between samples.
func (p *Producer) Interval() time.Duration { return p.cfg.Interval }

// Capabilities say what the producer can see.
func (p *Producer) Capabilities() []Capability { return p.capabilities }

// Stats counts what was published.
func (p *Producer) Stats() PublisherStats { return p.publisher.Stats() }

// Run samples until ctx ends, then publishes what waits and returns. A sample that fails is logged and is a
// missed tick; a process that vanishes while it is read is not even that.
func (p *Producer) Run(ctx context.Context) error {
	published := make(chan error, 1)
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { published <- p.publisher.Run(publishing) }()

	err := p.observe(ctx)
	stop() // only now: the last sample is published too
	return errors.Join(err, <-published)
}

// observe runs all that looks at the machine until ctx ends.
func (p *Producer) observe(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	help := func(what string, run func(context.Context) error) {
		helpers.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				p.cfg.Log.Warn(what+" stopped", "err", err)
			}
		})
	}
	help("reading GPUs", p.gpus.Run)
	help("tracing system calls", p.profiler.Run)
	defer p.schedule.publishTicker.Stop()
	help("watching processes", func(ctx context.Context) error { return p.schedule.RequestPolls(ctx, p.watcher.source) })
	idle, err := p.answerTraceRequests()
	if err != nil {
		p.cfg.Log.Warn("nobody can ask for traces", "err", err)
	}
	deaf, err := p.subscription.Start()
	if err == nil {
		err = p.subscription.ReadBacklog(ctx)
	}
	if err != nil {
		p.cfg.Log.Debug("jobs declared before this sampler started are known by their environment alone", "err", err)
	}
	p.sampleUntil(ctx)
	cancel()
	helpers.Wait()
	for _, stop := range []func(){deaf, idle} {
		if stop != nil {
			stop()
		}
	}
	return errors.Join(p.watcher.source.Close(), p.watcher.oom.Close(), p.fs.Close())
}

// sampleUntil takes a sample at once and then at every interval until ctx ends, and in between takes in what the kernel
// tells. A machine too slow for the interval misses ticks; they do not pile up.
func (p *Producer) sampleUntil(ctx context.Context) {
	p.sampler.started = time.Now()
	sample := time.NewTicker(p.cfg.Interval)
	defer sample.Stop()
	p.logFailure("a sample", p.tick())
	for {
		select {
		case <-ctx.Done():
			p.logFailure("the last events", p.flushEvents())
			return
		case <-p.schedule.PollDue:
			p.logFailure("watching processes", p.poll())
			p.schedule.Polled()
		case <-p.schedule.publishTicker.C:
			p.logFailure("publishing events", p.publishDue())
			p.schedule.Published()
		case msg := <-p.subscription.Messages:
			p.subscription.Apply(msg.Subject, msg.Header, msg.Data)
		case <-sample.C:
			p.logFailure("a sample", p.tick())
		}
	}
}

// logFailure says what failed, if it did.
func (p *Producer) logFailure(what string, err error) {
	if err != nil {
		p.cfg.Log.Error(what+" failed", "err", err)
	}
}

// tick takes one sample, and offers it and the events that are due to the publisher.
func (p *Producer) tick() error {
	p.subscription.ApplyWaiting()
	l, err := p.sampler.Sample(tickNumber(time.Since(p.sampler.started), p.cfg.Interval))
	if err != nil {
		return err
	}
	polled := p.poll() // before Observe: what the look shows has been told by now
	p.watcher.source.Observe(lifecycle.Scan{Wall: l.Wall, Boot: l.Boot, Processes: l.Snapshot.Processes})
	p.watcher.WatchGroups()
	p.traceByRule(l.Snapshot.Processes)
	return errors.Join(polled,
		p.publisher.Offer(&schema.Message{
			Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: l.Wall, Boot: l.Boot}, Snapshot: l.Snapshot,
		}),
		p.publishEvents(l.Boot-int64(lifecycle.EventDelay)),
	)
}

// tickNumber is the number of the period, not of the sample: one that is missed leaves a hole. A sample that begins
// late, because the one before took long, still belongs to the period it begins in: a ticker never fires early.
func tickNumber(elapsed, interval time.Duration) uint64 {
	return uint64(elapsed/interval) + 1
}

// kindsOfEvents are in the order in which they are published: who reads along meets a process before its end.
var kindsOfEvents = []schema.Kind{schema.KindSpawn, schema.KindExit, schema.KindSignal, schema.KindKill, schema.KindOOM}

// OfferEvents publishes the events of each kind together, in messages of at most [schema.MaxEvents].
func OfferEvents(pub *Publisher, wall, boot int64, occurred []lifecycle.KindedEvent) error {
	batches := map[schema.Kind][]schema.Event{}
	var errs []error
	flush := func(last schema.Kind) { // and the kinds before it
		for _, kind := range kindsOfEvents[:slices.Index(kindsOfEvents, last)+1] {
			if events := batches[kind]; len(events) > 0 {
				errs = append(errs, pub.Offer(&schema.Message{
					Envelope: schema.Envelope{Kind: kind, Wall: wall, Boot: boot}, Events: events,
				}))
				batches[kind] = nil
			}
		}
	}
	for _, o := range occurred {
		batches[o.Kind] = append(batches[o.Kind], o.Event)
		if len(batches[o.Kind]) == schema.MaxEvents {
			flush(o.Kind)
		}
	}
	flush(schema.KindOOM)
	return errors.Join(errs...)
}
