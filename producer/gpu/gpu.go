// Package gpu reads the load of a machine's GPUs: NVIDIA's from the output of nvidia-smi, which it keeps running, and
// AMD's from sysfs.
//
// A driver in trouble makes whoever asks it wait, for seconds or for ever. So goroutines of Run do the asking and
// everybody else gets the newest answer without waiting; an answer that is too old becomes unknown.
package gpu

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/proctape/proctape/schema"
)

// Config sets a Reader. The zero value of each field works.
type Config struct {
	NvidiaSMI string        // the program, by path or by name in PATH; default nvidia-smi
	Sys       string        // where sysfs is mounted; default /sys
	Interval  time.Duration // between readings, rounded up to whole seconds; default 5 s
	Log       *slog.Logger  // default slog.Default()

	timing timing // for tests
}

func (c Config) withDefaults() Config {
	c.NvidiaSMI = cmp.Or(c.NvidiaSMI, "nvidia-smi")
	c.Sys = cmp.Or(c.Sys, "/sys")
	c.Interval = max(c.Interval, 0)
	c.Interval = cmp.Or((c.Interval + time.Second - 1).Truncate(time.Second), 5*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	c.timing = c.timing.withDefaults(c.Interval)
	return c
}

// timing is how long a Reader waits for what.
type timing struct {
	stale    time.Duration // a value of this age is unknown
	gone     time.Duration // a GPU not heard of for so long is not listed
	hang     time.Duration // a program that begins no new round of lines for so long hangs
	retry    time.Duration // before a program that ended is started again; doubles from try to try
	retryMax time.Duration // but not beyond this
	hung     time.Duration // before one that hung is started again
	absent   time.Duration // before looking again for a program or a driver that is not there
	grace    time.Duration // Run waits so long for what does not end
}

func (t timing) withDefaults(interval time.Duration) timing {
	return timing{
		stale:    cmp.Or(t.stale, 3*interval),
		gone:     cmp.Or(t.gone, max(5*time.Minute, 6*interval)),
		hang:     cmp.Or(t.hang, max(3*interval, 5*time.Second)),
		retry:    cmp.Or(t.retry, time.Second),
		retryMax: cmp.Or(t.retryMax, time.Minute),
		hung:     cmp.Or(t.hung, time.Minute),
		absent:   cmp.Or(t.absent, 5*time.Minute),
		grace:    cmp.Or(t.grace, 3*time.Second),
	}
}

// Reader holds the newest figures of the GPUs. Run fetches them; the other methods may be called at any time from any
// goroutine, and never wait for a driver.
type Reader struct {
	cfg Config

	mu     sync.Mutex
	gpus   gpuTable
	apps   appTable
	cards  []reading // AMD's, in the order of their numbers
	nvidia stream
	memory stream
	stats  Stats
}

// Stats counts since the start.
type Stats struct {
	Lines     uint64 // lines that nvidia-smi printed
	Malformed uint64 // of these, not understood and skipped
	Ends      uint64 // nvidia-smi ended without being told to, or could not be started
	Hangs     uint64 // nvidia-smi was killed because it hung
}

// Open returns a reader that knows nothing yet. It starts nothing: Run does.
func Open(cfg Config) *Reader {
	cfg = cfg.withDefaults()
	r := &Reader{cfg: cfg, gpus: newGPUTable(), apps: newAppTable(cfg.Interval)}
	r.nvidia = stream{query: gpuQuery, table: &r.gpus, silence: errHung, trouble: "not asked yet"}
	r.memory = stream{query: appQuery, table: &r.apps, silence: errSilent}
	return r
}

// ErrStuck is returned by Run when a program or a read of sysfs did not end: the driver holds it in the kernel, where
// no signal reaches it. It ends when the driver lets go of it.
var ErrStuck = errors.New("nvidia-smi or a read of sysfs is stuck in the kernel")

// Run reads until ctx ends. It returns nil then, or ErrStuck.
func (r *Reader) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	readers.Go(func() { r.keepRunning(ctx, &r.nvidia) })
	readers.Go(func() { r.keepRunning(ctx, &r.memory) })
	readers.Go(func() { r.pollCards(ctx) })
	ended := make(chan struct{})
	go func() {
		readers.Wait()
		close(ended)
	}()

	<-ctx.Done()
	select {
	case <-ended:
		return nil
	case <-time.After(r.cfg.timing.grace):
		return ErrStuck
	}
}

// Read returns the GPUs by index: those of NVIDIA, then those of AMD. What is not known, or was true three intervals
// before now and not since, is unknown; a GPU of which nothing is heard for some minutes is left out.
func (r *Reader) Read(now time.Time) []schema.GPU {
	r.mu.Lock()
	defer r.mu.Unlock()
	gpus := r.gpus.list(now, r.cfg.timing)
	if !r.gpus.settled { // the first index of AMD's follows
		return gpus
	}
	for _, c := range r.cards {
		g := c.at(now, r.cfg.timing.stale)
		g.Index += r.gpus.next
		gpus = append(gpus, g)
	}
	return gpus
}

// Processes returns the GPU memory in KiB that each process holds, on all NVIDIA GPUs together. The pids are those of
// the machine's first pid namespace, whatever namespace this process is in. A process of which the driver does not say
// how much it holds is absent.
func (r *Reader) Processes() map[int]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.apps.sum()
}

// Source says in words, for people, where the figures come from now ("nvidia-smi", "amd sysfs", both, or nothing) and
// why the others are missing.
func (r *Reader) Source() (have, missing string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	amd := ""
	if len(r.cards) == 0 {
		amd = "no AMD card in " + drmDir(r.cfg.Sys)
	}
	return describe([]origin{{"nvidia-smi", r.nvidia.trouble}, {"amd sysfs", amd}})
}

// origin is a place where figures may come from, and why they do not.
type origin struct{ name, trouble string }

func describe(origins []origin) (have, missing string) {
	add := func(list *string, separator, item string) {
		if *list != "" {
			*list += separator
		}
		*list += item
	}
	for _, o := range origins {
		if o.trouble == "" {
			add(&have, ", ", o.name)
		} else {
			add(&missing, "; ", o.name+": "+o.trouble)
		}
	}
	return have, missing
}

// Stats returns the counts so far.
func (r *Reader) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}
