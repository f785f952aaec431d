// Package events makes events of what a lifecycle source reports: it adds the owner of each process, and what kind of a death an
// exit was, and says when to ask the kernel again.
package events

import (
	"context"
	"errors"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// Config is what a watcher needs. All fields but List are needed.
type Config struct {
	Source lifecycle.Source
	OOM    *oom.Watch
	Claims *jobs.Claims
	// SampledCPU is how much CPU, in milliseconds, the snapshots have of a process that began at start, in ticks.
	SampledCPU func(pid int, start uint64) schema.Opt[int64]
	// List reads which processes live, after the source has lost something; nil: nothing is read.
	List func() (lifecycle.Scan, error)
}

// Watcher makes events of what a source reports. One goroutine uses it; another may call Wait.
type Watcher struct{ cfg Config }

// NewWatcher returns a watcher. The caller closes it; with it the source and the OOM watch are closed.
func NewWatcher(cfg Config) *Watcher { return &Watcher{cfg} }

// Close closes the source and the OOM watch.
func (w *Watcher) Close() error { return errors.Join(w.cfg.Source.Close(), w.cfg.OOM.Close()) }

// Kind is which kind of source is watched.
func (w *Watcher) Kind() lifecycle.SourceKind { return w.cfg.Source.Kind() }

// Wait returns when there is something for Poll to take in, see [lifecycle.Source].
func (w *Watcher) Wait(ctx context.Context) error { return w.cfg.Source.Wait(ctx) }

// Poll reads the kernel's events. When some were lost, it lists the processes to find what was missed.
func (w *Watcher) Poll() error {
	lossy, err := w.cfg.Source.Poll()
	if err != nil || !lossy || w.cfg.List == nil {
		return err
	}
	scan, err := w.cfg.List()
	if err != nil {
		return err
	}
	if _, err := w.cfg.Source.Poll(); err != nil {
		return err
	}
	w.cfg.Source.Observe(scan)
	return nil
}

// Observe takes in a scan. Poll comes between the scan and Observe.
func (w *Watcher) Observe(scan lifecycle.Scan) {
	w.cfg.Source.Observe(scan)
	for _, group := range w.cfg.Claims.Cgroups() {
		w.cfg.OOM.Track(group) // its counters tell kills for want of memory apart
	}
}

// Take returns the events that are due by the boot time until, and what was lost.
func (w *Watcher) Take(until int64) ([]schema.KindedEvent, []schema.Gap, error) {
	err := w.cfg.OOM.Poll() // before the exits are judged: the kernel logs its kill first
	told, gaps := w.cfg.Source.Take(until)
	events := make([]schema.KindedEvent, 0, len(told))
	for _, e := range told {
		events = w.addEvent(events, e)
	}
	return events, gaps, err
}

// addEvent appends an event of the source, and the signal, kill or oom that an exit was, unless another program publishes
// the events of the process.
func (w *Watcher) addEvent(events []schema.KindedEvent, o schema.KindedEvent) []schema.KindedEvent {
	e := &o.Event
	switch o.Kind {
	case schema.KindSpawn:
		w.cfg.Claims.AddChild(e.PID, int(e.PPID.Or(0)), e.StartTicks)
		w.cfg.Claims.ClaimByCommand(e.PID, e.StartTicks, e.Command)
	case schema.KindExec:
		w.cfg.Claims.ClaimByCommand(e.PID, e.StartTicks, e.Command)
	}
	publishedByRun := w.cfg.Claims.PublishedByRun(e.PID, e.StartTicks, e.Boot)
	owner := w.cfg.Claims.OwnerOf(e.PID, e.StartTicks)
	e.JobID, e.Fleet, e.Sheet = owner.Job, owner.Fleet, owner.Sheet
	cgroup := w.cfg.Claims.Cgroup(e.PID)
	if o.Kind == schema.KindExit {
		w.cfg.Claims.NoteExit(e)
		w.cfg.Claims.RemoveEnded(e.PID, e.StartTicks, e.Boot)
		e.SampledCPU = w.cfg.SampledCPU(e.PID, e.StartTicks)
	}
	if publishedByRun {
		return events
	}
	events = append(events, o)
	if o.Kind == schema.KindExit && e.Signal.Known {
		events = append(events, w.killEvent(o.Event, cgroup))
	}
	return events
}

// killEvent is the event that says what kind of a death by signal an exit was: signal, kill or oom.
func (w *Watcher) killEvent(e schema.Event, cgroup string) schema.KindedEvent {
	e.CPUMillis, e.System, e.PeakRSS, e.SampledCPU = schema.Opt[int64]{}, schema.Opt[int64]{}, schema.Opt[int64]{}, schema.Opt[int64]{} // the exit has them
	e.ReadKiB, e.WriteKiB = schema.Opt[int64]{}, schema.Opt[int64]{}
	if e.Signal.V != 9 {
		return schema.KindedEvent{Kind: schema.KindSignal, Event: e}
	}
	if kill, ok := w.cfg.OOM.Judge(oom.Death{PID: e.PID, Boot: e.Boot, Cgroup: cgroup}); ok {
		e.Details = scrub.Text(kill.Details())
		return schema.KindedEvent{Kind: schema.KindOOM, Event: e}
	}
	return schema.KindedEvent{Kind: schema.KindKill, Event: e}
}
