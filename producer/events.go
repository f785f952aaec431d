package producer

import (
	"errors"
	"math"
	"path"
	"slices"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Watcher makes events of what the source tells: it adds whose a process is, and what a death was.
type Watcher struct {
	source lifecycle.Source
	oom    *oom.Watch
	claims *Claims
	// sampled is how much CPU, in milliseconds, the snapshots have of a process.
	sampled func(pid int, start uint64) schema.Opt[int64]
}

// Take returns the events that are due by the boot time until, and what was lost.
func (w *Watcher) Take(until int64) ([]lifecycle.KindedEvent, []schema.Gap, error) {
	err := w.oom.Poll() // before the deaths are looked at: the kernel tells of its kill first
	occurred, gaps := w.source.Take(until)
	events := make([]lifecycle.KindedEvent, 0, len(occurred))
	for _, o := range occurred {
		events = w.addEvent(events, o)
	}
	return events, gaps, err
}

// addEvent appends an occurrence, and the signal, kill or oom that an exit was.
func (w *Watcher) addEvent(events []lifecycle.KindedEvent, o lifecycle.KindedEvent) []lifecycle.KindedEvent {
	e := &o.Event
	if o.Kind == schema.KindSpawn {
		w.claims.AddChild(e.PID, int(e.PPID.Or(0)), e.StartTicks)
		w.claims.ClaimByCommand(e.PID, e.StartTicks, e.Command)
	}
	reported := w.claims.PublishedByRun(e.PID, e.StartTicks, e.Boot)
	whose := w.claims.OwnerOf(e.PID, e.StartTicks)
	e.JobID, e.Sheet = whose.Job, whose.Sheet
	cgroup := w.claims.Cgroup(e.PID)
	if o.Kind == schema.KindExit {
		w.claims.RemoveEnded(e.PID, e.StartTicks, e.Boot)
		e.SampledCPU = w.sampled(e.PID, e.StartTicks)
	}
	if reported {
		return events
	}
	events = append(events, o)
	if o.Kind == schema.KindExit && e.Signal.Known {
		events = append(events, w.killEvent(o.Event, cgroup))
	}
	return events
}

// killEvent is the event that says what kind of a death by signal an exit was.
func (w *Watcher) killEvent(e schema.Event, cgroup string) lifecycle.KindedEvent {
	e.CPUMillis, e.PeakRSS, e.SampledCPU = schema.Opt[int64]{}, schema.Opt[int64]{}, schema.Opt[int64]{} // the exit has them
	e.ReadKiB, e.WriteKiB = schema.Opt[int64]{}, schema.Opt[int64]{}
	if e.Signal.V != 9 {
		return lifecycle.KindedEvent{Kind: schema.KindSignal, Event: e}
	}
	if kill, ok := w.oom.Judge(oom.Death{PID: e.PID, Boot: e.Boot, Cgroup: cgroup}); ok {
		e.Details = kill.Details()
		return lifecycle.KindedEvent{Kind: schema.KindOOM, Event: e}
	}
	return lifecycle.KindedEvent{Kind: schema.KindKill, Event: e}
}

// WatchGroups has the counters of the jobs' control groups watched, where deaths are judged by them.
func (w *Watcher) WatchGroups() {
	tracked := map[string]bool{}
	for _, m := range w.claims.members {
		if m.owner.Job != "" && m.cgroup != "" && !tracked[m.cgroup] {
			tracked[m.cgroup] = true
			w.oom.Track(m.cgroup)
		}
	}
}

// traceByRule asks for a trace of the busiest process of the jobs that are to be traced. Most often it is refused, for
// being too soon.
func (p *Producer) traceByRule(procs []schema.Process) {
	if !p.cfg.Syscalls || len(p.cfg.TraceJobs) == 0 {
		return
	}
	var busiest *schema.Process
	for i := range procs {
		c := &procs[i]
		if c.JobID != "" && p.traces(c.JobID) && c.CPUPermille.V > 0 && (busiest == nil || c.CPUPermille.V > busiest.CPUPermille.V) {
			busiest = c
		}
	}
	if busiest != nil {
		_ = p.profiler.Suggest(busiest.PID)
	}
}

func (p *Producer) traces(job string) bool {
	return slices.ContainsFunc(p.cfg.TraceJobs, func(pattern string) bool {
		ok, _ := path.Match(pattern, job) // the pattern was checked
		return ok
	})
}

// poll takes in what the kernel has told. When some of it was lost, it looks at /proc for what was missed.
func (p *Producer) poll() error {
	lossy, err := p.watcher.source.Poll()
	if err != nil || !lossy {
		return err
	}
	look, err := p.sampler.ListProcesses()
	if err != nil {
		return err
	}
	if _, err := p.watcher.source.Poll(); err != nil {
		return err
	}
	p.watcher.source.Observe(look)
	return nil
}

// publishDue publishes the events of which nothing more can become known.
func (p *Producer) publishDue() error {
	polled := p.poll() // also without news: what did not come in time is given up
	_, boot := ReadClocks()
	return errors.Join(polled, p.publishEvents(boot-int64(lifecycle.EventDelay)))
}

// publishEvents publishes what is due by a boot time.
func (p *Producer) publishEvents(until int64) error {
	p.subscription.ApplyWaiting()
	events, gaps, err := p.watcher.Take(until)
	wall, boot := ReadClocks()
	return errors.Join(err, OfferEvents(p.publisher, wall, boot, events), OfferGaps(p.publisher, wall, boot, gaps))
}

// flushEvents publishes all there is.
func (p *Producer) flushEvents() error {
	return errors.Join(p.poll(), p.publishEvents(math.MaxInt64))
}

// OfferGaps offers what was lost to a publisher.
func OfferGaps(pub *Publisher, wall, boot int64, gaps []schema.Gap) error {
	var errs []error
	for some := range slices.Chunk(gaps, schema.MaxEvents) {
		errs = append(errs, pub.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindGap, Wall: wall, Boot: boot}, Gaps: some}))
	}
	return errors.Join(errs...)
}

// describe is what lifecycle asks of a process: what /proc says of it now.
func (p *Producer) describe(pid int) (lifecycle.Description, bool) {
	proc, err := p.fs.Process(pid, p.sampler.opt)
	if errors.Is(err, procfs.ErrGone) || proc.StartTicks == 0 && err != nil {
		return lifecycle.Description{}, false
	}
	p.watcher.claims.AddRunning(&proc)
	return lifecycle.Description{PPID: proc.PPID, StartTicks: proc.StartTicks, UID: optUint(proc.UIDKnown, uint64(proc.UID)),
		Command: p.sampler.scrubber.Command(proc.Comm, proc.Args)}, true
}
