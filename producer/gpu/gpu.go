// Package gpu reads the load of a machine's GPUs: NVIDIA's from the output of nvidia-smi, which it keeps running, and
// AMD's from sysfs.
//
// A driver in trouble makes whoever asks it wait, for seconds or for ever. So goroutines of Run do the asking and
// everybody else gets the newest answer without waiting; an answer that is too old becomes unknown.
package gpu

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"time"

	"github.com/proctape/proctape/schema"
)

// Open returns a reader that knows nothing yet. It starts nothing: Run does.
func Open(cfg Config) *Reader {
	cfg = cfg.withDefaults()
	r := &Reader{cfg: cfg, gpus: newGPUTable(), apps: newAppTable(cfg.Interval), told: map[string]bool{}}
	r.nvidia = stream{query: gpuQuery, table: &r.gpus, silenceErr: errHung, reason: "not asked yet"}
	r.memory = stream{query: appQuery, table: &r.apps, silenceErr: errSilent}
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
	case <-time.After(r.cfg.timing.stopTimeout):
		return ErrStuck
	}
}

// Read returns the GPUs, each at the place that its index says: those of NVIDIA, then those of AMD. What is not known, or was
// true three intervals before now and not since, is unknown. A GPU of which nothing was read for some minutes is unknown too,
// and left out when there is none behind it.
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
	return describe([]origin{{"nvidia-smi", r.nvidia.reason}, {"amd sysfs", amd}})
}

// Expected names what there is to ask on this machine, as [Reader.Source] does, also before it was asked; it is empty on a
// machine without GPUs.
func (r *Reader) Expected() string {
	reason := ""
	if _, err := exec.LookPath(r.cfg.NvidiaSMI); err != nil {
		reason = err.Error()
	}
	amd := "none"
	if len(readCards(r.cfg.Sys, time.Now)) > 0 {
		amd = ""
	}
	have, _ := describe([]origin{{"nvidia-smi", reason}, {"amd sysfs", amd}})
	return have
}

// origin is a place where figures may come from, and why they do not.
type origin struct{ name, reason string }

func describe(origins []origin) (have, missing string) {
	add := func(list *string, separator, item string) {
		if *list != "" {
			*list += separator
		}
		*list += item
	}
	for _, o := range origins {
		if o.reason == "" {
			add(&have, ", ", o.name)
		} else {
			add(&missing, "; ", o.name+": "+o.reason)
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
