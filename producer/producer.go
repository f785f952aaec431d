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
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/cgroup"
	"github.com/proctape/proctape/producer/events"
	"github.com/proctape/proctape/producer/gpu"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/sampler"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/durations"
	"github.com/proctape/proctape/schema/trouble"
)

// Config sets a producer. The zero value of each field works.
type Config struct {
	Host          string        // host token; default made of the machine's name
	Interval      time.Duration // between samples; default 5 s, at least 100 ms
	KernelThreads bool          // sample kernel threads too
	Argv          scrub.Mode    // default scrubbed
	ScrubWords    []string      // further words that mark a secret
	Root          string        // where the proc of the machine to record is mounted; default /proc
	Sys           string        // where its sysfs is mounted; default /sys
	MaxQueue      int           // bytes that may wait for the log; default 64 MiB
	Drain         time.Duration // how long Run goes on to publish what waits after its context ended; default 5 s
	Domain        string        // of JetStream, for [schema.JetStream]
	Into          string        // names the log to which the producer publishes, see [publish.Config]
	Spool         int64         // bytes that may wait on disk, in Lives, and SpoolAge for how long: see [publish.Config]
	SpoolAge      time.Duration
	Lives         string // folder in which the producer writes down what it has made, and finds what earlier ones had; empty for none
	// Events are the sources of starts and ends that may be used; the first that works is used. Default: all.
	Events    []lifecycle.SourceKind
	BPF       bpf.Mode     // whether processes are read by programs in the kernel; default off
	Presets   jobs.Presets // what CI and batch systems set, by which processes name their jobs
	Rules     []jobs.Rule  // which jobs processes belong to, where no stronger claim says so
	NvidiaSMI string       // program that reads NVIDIA's GPUs; default nvidia-smi
	// Syscalls allows the system calls of processes to be watched: with BPF those of the jobs whose name matches one of the patterns of TraceJobs
	// (path.Match), and of processes that ask for it in their environment, are counted; without, the busiest of these jobs is traced now and then, which
	// slows it down meanwhile. Either way one process may be asked for.
	Syscalls  bool
	TraceJobs []string
	// Gaps returns what others than the sampler found missing, to be published with what the sampler finds. It is called with
	// every publication of events, and by then has published what the call before returned. Nil for none.
	Gaps func() []schema.Gap
	// Beat is called with each sample and poll, and PublishBeat with each try to publish: as long as each is called at least once in two
	// intervals, the producer is not stuck. Nil for nobody who wants to know.
	Beat, PublishBeat func()
	Log               *slog.Logger
	Trouble           *trouble.Reporter // is told of trouble; default one that reports to Log
}

func (c Config) withDefaults() Config {
	if c.Host == "" {
		name, _ := os.Hostname() // an empty name becomes a token too
		c.Host = schema.HostToken(name)
	}
	c.Sys = cmp.Or(c.Sys, "/sys")
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Argv = cmp.Or(c.Argv, scrub.Scrubbed)
	c.BPF = cmp.Or(c.BPF, bpf.Off)
	if c.Gaps == nil {
		c.Gaps = func() []schema.Gap { return nil }
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Beat == nil {
		c.Beat = func() {}
	}
	if c.Trouble == nil {
		c.Trouble = trouble.NewReporter(c.Log)
	}
	if len(c.Events) == 0 {
		c.Events = slices.Clone(lifecycle.SourceKinds)
		if c.BPF == bpf.Off {
			c.Events = slices.DeleteFunc(c.Events, func(k lifecycle.SourceKind) bool { return k == lifecycle.KindBPF })
		}
	}
	return c
}

func (c Config) validate() error {
	if !schema.ValidHost(c.Host) || c.Host == schema.Fleet {
		return fmt.Errorf("host %q: want 1 to 64 of A-Z a-z 0-9 _ -, and not %s alone", c.Host, schema.Fleet)
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
	if _, err := bpf.ParseMode(string(c.BPF)); err != nil {
		return fmt.Errorf("bpf: %w", err)
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
	table        *bpf.Table // nil: processes are read of fs
	nc           *nats.Conn
	instance     schema.Instance
	loop         loop
	gpus         *gpu.Reader
	calls        *systemCalls
	publisher    *publish.Publisher
	capabilities []Capability
}

// New probes what can be seen and returns a producer that publishes through nc. The caller closes nc, after Run.
func New(nc *nats.Conn, cfg Config) (*Producer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	_, began := procfs.ReadClocks()
	fs := procfs.New(cfg.Root)
	if _, err := fs.Host(); err != nil {
		return nil, fmt.Errorf("read the host: %w", err)
	}
	boot, err := fs.BootID()
	if err != nil {
		cfg.Log.Warn("the boot has no id that can be read; one is made of the minute of the boot", "err", err)
	}
	p := &Producer{cfg: cfg, fs: fs, nc: nc, instance: schema.NewInstance()}
	p.publisher, err = publish.New(nc, publish.Config{
		Origin:   publish.Origin{Host: cfg.Host, BootID: boot, Instance: p.instance},
		MaxQueue: cfg.MaxQueue, Drain: cfg.Drain, Lives: cfg.Lives, Into: cfg.Into, Spool: cfg.Spool, SpoolAge: cfg.SpoolAge, TellsEnds: true, Began: began, Beat: cfg.PublishBeat, Log: cfg.Log, Trouble: cfg.Trouble,
	})
	if err != nil {
		return nil, err
	}
	p.capabilities = Probe(fs, cfg.Argv)
	if p.table, p.capabilities, err = openTable(fs, cfg.BPF, p.capabilities); err != nil {
		return nil, err
	}
	// The sampler would not read again what the probe has read of a process, and the probe read no environments.
	if err := fs.Close(); err != nil {
		return nil, fmt.Errorf("drop what the probe has read: %w", err)
	}
	p.gpus = gpu.Open(gpu.Config{Sys: cfg.Sys, NvidiaSMI: cfg.NvidiaSMI, Interval: cfg.Interval, Log: cfg.Log})
	calls, ofCalls, err := openSystemCalls(cfg.Syscalls, cfg.BPF, cfg.TraceJobs, cfg.Log)
	if err != nil {
		return nil, errors.Join(err, p.closeReaders())
	}
	p.calls, p.capabilities = calls, append(p.capabilities, ofCalls)
	if err := p.connect(began, boot); err != nil {
		return nil, errors.Join(err, p.closeReaders())
	}
	if p.table != nil || p.calls.programs != nil || p.loop.watcher.Kind() == lifecycle.KindBPF {
		if err := bpf.DropPrivileges(); err != nil {
			cfg.Log.Warn("the sampler may load further programs into the kernel, which it does not", "err", err)
		}
	}
	return p, nil
}

// connect makes the loop and connects its parts: the sampler, the watcher and the subscription share the claims.
func (p *Producer) connect(began int64, bootID string) error {
	cfg := p.cfg
	keepSamples := int64(2*time.Second/cfg.Interval) + 1
	claims := jobs.NewClaims(jobs.Naming{Rules: cfg.Rules, Presets: cfg.Presets}, keepSamples, p.fs.RealUser)
	scrubber := scrub.New(cfg.Argv, cfg.ScrubWords...)
	options := procfs.Options{KernelThreads: cfg.KernelThreads, EnvKeys: append([]string{jobs.EnvJob, jobs.EnvSheet, jobs.EnvSyscalls}, cfg.Presets.Variables()...)}
	describer := events.Describer{FS: p.fs, Options: options, Scrubber: scrubber, Claims: claims}
	oomWatch := oom.Open(oom.Config{Root: cfg.Root, Cgroup: filepath.Join(cfg.Sys, "fs/cgroup"), Log: cfg.Log})
	source, attempts, err := lifecycle.Open(lifecycle.Config{Describe: describer.Describe, Command: scrubber.Command, Root: cfg.Root, Log: cfg.Log}, cfg.Events)
	if err != nil {
		return errors.Join(err, oomWatch.Close())
	}
	p.capabilities = append(p.capabilities, eventCapabilities(source.Kind(), attempts)...)
	p.capabilities = append(p.capabilities, oomCapability(oomWatch), gpuCapability(p.gpus))
	s := sampler.New(sampler.Config{
		FS: p.fs, OwnPID: cmp.Or(procfs.OwnPID(cfg.Root), -1), Table: p.processTable(), Options: options, Scrubber: scrubber, Claims: claims, Began: began, Interval: cfg.Interval,
		KeepSamples: keepSamples, Capabilities: publishedCapabilities(p.capabilities),
		GPUs: p.gpus.Read, GPUMemory: p.gpus.Processes, Group: cgroup.Open("/").Read, Syscalls: p.calls.of, Log: cfg.Log,
	})
	p.loop = loop{
		interval: cfg.Interval, gaps: cfg.Gaps, beat: cfg.Beat, log: cfg.Log, trouble: cfg.Trouble, failed: map[string]int{},
		sampler: s, publisher: p.publisher, calls: p.calls, schedule: events.NewPollSchedule(),
		watcher: events.NewWatcher(events.Config{
			Source: source, OOM: oomWatch, Claims: claims, SampledCPU: s.SampledCPU, List: s.ListProcesses}),
		subscription: jobs.NewSubscription(p.nc, jobs.SubscriptionConfig{
			Host: cfg.Host, BootID: bootID, Claims: claims, Trouble: cfg.Trouble, Domain: cfg.Domain}),
	}
	p.loop.claims = claims
	return nil
}

// Host is the name under which the producer publishes.
func (p *Producer) Host() string { return p.cfg.Host }

// Interval is the time between samples.
func (p *Producer) Interval() time.Duration { return p.cfg.Interval }

// Capabilities say what the producer can see.
func (p *Producer) Capabilities() []Capability { return p.capabilities }

// Stats counts what was published.
func (p *Producer) Stats() publish.Stats { return p.publisher.Stats() }

// Acks returns how long the log took to acknowledge messages.
func (p *Producer) Acks() durations.Histogram { return p.publisher.Acks() }

// Queue is what waits to be published.
func (p *Producer) Queue() publish.Queue { return p.publisher.Queue() }

// Instance is the life of the producer that publishes.
func (p *Producer) Instance() schema.Instance { return p.instance }

// Run samples until ctx ends, then publishes what waits and returns. A failed sample is logged and counts as a missed
// tick; a process that ends while it is read is left out.
func (p *Producer) Run(ctx context.Context) error {
	published := make(chan error, 1)
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { published <- p.publisher.Run(publishing) }()

	err := p.observe(ctx)
	stop() // only now: the last sample is published too
	return errors.Join(err, <-published)
}

// observe runs everything that observes the machine until ctx ends.
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
	help("tracing system calls", p.calls.profiler.Run)
	help("watching processes", p.loop.requestPolls)
	stopTraceRequests, err := p.calls.profiler.AnswerRequests(p.nc, p.cfg.Host)
	if err != nil {
		p.cfg.Log.Warn("trace requests are not served", "err", err)
	}
	stopJobs, err := p.loop.subscription.Start()
	if err == nil {
		err = p.loop.subscription.ReadBacklog(ctx)
	}
	if err != nil {
		p.cfg.Log.Debug("jobs that were declared before this sampler started are known by their environment alone", "err", err)
	}
	p.loop.run(ctx)
	cancel()
	helpers.Wait()
	for _, stop := range []func(){stopJobs, stopTraceRequests} {
		if stop != nil {
			stop()
		}
	}
	return errors.Join(p.loop.close(), p.closeReaders())
}

// processTable is what processes are read of; nil for /proc.
func (p *Producer) processTable() sampler.Table {
	if p.table == nil {
		return nil
	}
	return p.table
}

// closeReaders closes what processes are read of.
func (p *Producer) closeReaders() error {
	var errs []error
	if p.calls != nil {
		errs = append(errs, p.calls.close())
	}
	if p.table != nil {
		errs = append(errs, p.table.Close())
	}
	return errors.Join(append(errs, p.fs.Close())...)
}
