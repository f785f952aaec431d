// Package producer samples a host: /proc goes in, numbered messages on the log come out.
package producer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
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
	Log           *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Host == "" {
		name, _ := os.Hostname() // an empty name becomes a token too
		c.Host = schema.HostToken(name)
	}
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Argv = cmp.Or(c.Argv, scrub.Scrubbed)
	c.Log = cmp.Or(c.Log, slog.Default())
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
	return nil
}

// Watcher sees processes start and end. Observe is called after each sample with all processes of the host.
type Watcher interface {
	Observe(lifecycle.Look) []lifecycle.Occurrence
}

// Producer samples one host and publishes what it sees.
type Producer struct {
	cfg          Config
	fs           *procfs.FS
	sampler      sampler
	watcher      Watcher
	publisher    *Publisher
	capabilities []Capability
}

// New probes what can be seen and returns a producer that publishes through nc. The caller closes nc, after Run.
func New(nc *nats.Conn, cfg Config) (*Producer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
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
	return &Producer{
		cfg: cfg, fs: fs, publisher: pub, capabilities: caps, watcher: lifecycle.NewDiff(),
		sampler: sampler{
			fs:       fs,
			opt:      procfs.Options{KernelThreads: cfg.KernelThreads, EnvKeys: []string{EnvJob, EnvSheet}},
			scrubber: scrub.New(cfg.Argv, cfg.ScrubWords...), interval: cfg.Interval, caps: capabilityNames(caps),
		},
	}, nil
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
	defer p.fs.Close()
	published := make(chan error, 1)
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { published <- p.publisher.Run(publishing) }()

	p.sampleUntil(ctx)
	stop() // only now: the last sample is published too
	return <-published
}

func (p *Producer) sampleUntil(ctx context.Context) {
	p.sampler.started = time.Now()
	ticker := time.NewTicker(p.cfg.Interval)
	defer ticker.Stop()
	for {
		if err := p.tick(); err != nil {
			p.cfg.Log.Error("a sample failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tick takes one sample and offers it, and the events it shows, to the publisher.
func (p *Producer) tick() error {
	l, err := p.sampler.sample(tickNumber(time.Since(p.sampler.started), p.cfg.Interval))
	if err != nil {
		return err
	}
	occurred := p.watcher.Observe(lifecycle.Look{Wall: l.wall, Boot: l.boot, Processes: l.snapshot.Processes})
	return errors.Join(
		p.publisher.Offer(&schema.Message{
			Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: l.wall, Boot: l.boot}, Snapshot: l.snapshot,
		}),
		p.offerEvents(l.wall, l.boot, occurred),
	)
}

// tickNumber is the number of the period, not of the sample: one that is missed leaves a hole. A sample that begins
// late, because the one before took long, still belongs to the period it begins in: a ticker never fires early.
func tickNumber(elapsed, interval time.Duration) uint64 {
	return uint64(elapsed/interval) + 1
}

// offerEvents publishes the events of each kind together, in messages of at most [schema.MaxEvents].
func (p *Producer) offerEvents(wall, boot int64, occurred []lifecycle.Occurrence) error {
	batches := map[schema.Kind][]schema.Event{}
	var errs []error
	flush := func(kind schema.Kind) {
		if events := batches[kind]; len(events) > 0 {
			errs = append(errs, p.publisher.Offer(&schema.Message{
				Envelope: schema.Envelope{Kind: kind, Wall: wall, Boot: boot}, Events: events,
			}))
			batches[kind] = nil
		}
	}
	for _, o := range occurred {
		batches[o.Kind] = append(batches[o.Kind], o.Event)
		if len(batches[o.Kind]) == schema.MaxEvents {
			flush(o.Kind)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(batches)) {
		flush(kind)
	}
	return errors.Join(errs...)
}
