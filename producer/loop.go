package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/proctape/proctape/producer/events"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/sampler"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
	"github.com/proctape/proctape/schema/trouble"
)

// loop takes samples and events, in one goroutine: a tick, a poll and a job event never run at the same time.
type loop struct {
	interval time.Duration
	gaps     func() []schema.Gap
	beat     func() // see [Config]
	log      *slog.Logger
	trouble  *trouble.Reporter
	failed   map[string]int // what failed the last time, and how often in a row

	claims       *jobs.Claims
	sampler      *sampler.Sampler
	watcher      *events.Watcher
	schedule     *events.PollSchedule
	subscription *jobs.Subscription
	publisher    *publish.Publisher
	calls        *systemCalls
	started      time.Time
}

// requestPolls has the loop poll the source while that has events, until ctx ends.
func (l *loop) requestPolls(ctx context.Context) error {
	return l.schedule.RequestPolls(ctx, l.watcher.Wait)
}

// close closes the watcher.
func (l *loop) close() error {
	l.schedule.Stop()
	return l.watcher.Close()
}

// run takes a sample at once and then at every interval until ctx ends, and in between takes in the kernel's
// events. A machine too slow for the interval misses ticks; they do not pile up.
func (l *loop) run(ctx context.Context) {
	l.started = time.Now()
	sample := time.NewTicker(l.interval)
	defer sample.Stop()
	l.report("a sample", l.tick())
	for {
		l.beat()
		select {
		case <-ctx.Done():
			l.report("the last events", l.flushEvents())
			wall, boot := procfs.ReadClocks()
			l.report("runs", l.publishRuns(wall, boot, true))
			l.report("the end", publish.OfferEnd(l.publisher, wall, boot))
			return
		case <-l.schedule.PollDue():
			l.report("watching processes", l.watcher.Poll())
			l.schedule.Polled()
		case <-l.schedule.PublishDue():
			l.report("publishing events", l.publishDue())
			l.schedule.Published()
		case msg := <-l.subscription.Messages():
			l.subscription.Apply(msg)
		case <-sample.C:
			l.report("a sample", l.tick())
		}
	}
}

// report reports what failed, if it did, or that it works again.
func (l *loop) report(what string, err error) {
	if err == nil {
		if n := l.failed[what]; n > 0 {
			delete(l.failed, what)
			l.trouble.End("sampler", trouble.Sampling, what, fmt.Sprintf("it failed %d times", n))
		}
		return
	}
	l.failed[what]++
	l.log.Debug(what+" failed", "err", err)
	l.trouble.Begin("sampler", trouble.Trouble{Kind: trouble.Sampling, About: what, Reason: err.Error()})
}

// tick takes one sample, and offers it and the events that are due to the publisher.
func (l *loop) tick() error {
	l.subscription.ApplyWaiting()
	uptime := time.Since(l.started)
	l.calls.begin()
	s, err := l.sampler.Sample(tickNumber(uptime, l.interval), uptime)
	if err != nil {
		return err
	}
	polled := l.watcher.Poll() // before Observe: the events of what the scan shows are read first
	l.watcher.Observe(lifecycle.Scan{Wall: s.Wall, Boot: s.Boot, Processes: s.Snapshot.Processes.Rows()})
	l.traceBusiest(&s.Snapshot.Processes)
	return errors.Join(polled,
		l.publisher.OfferSnapshot(s.Wall, s.Boot, s.Snapshot),
		l.publishEvents(s.Boot-int64(lifecycle.EventDelay)),
		l.publishRuns(s.Wall, s.Boot, false),
	)
}

// publishRuns publishes the starts and ends of runs that nobody else will tell of.
func (l *loop) publishRuns(wall, boot int64, final bool) error {
	var errs []error
	for told := range slices.Chunk(l.claims.TellRuns(wall, boot, final), schema.MaxEvents) {
		errs = append(errs, l.publisher.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindJob, Wall: wall, Boot: boot}, Jobs: told}))
	}
	return errors.Join(errs...)
}

// tickNumber is the number of the period, not of the sample: one that is missed leaves a hole. A sample that begins
// late, because the one before took long, still belongs to the period it begins in: a ticker never fires early.
func tickNumber(elapsed, interval time.Duration) uint64 {
	return uint64(elapsed/interval) + 1
}

// publishDue publishes the events of which nothing more can become known.
func (l *loop) publishDue() error {
	polled := l.watcher.Poll() // also without new events: records that did not come in time are given up
	_, boot := procfs.ReadClocks()
	return errors.Join(polled, l.publishEvents(boot-int64(lifecycle.EventDelay)))
}

// publishEvents publishes what is due by a boot time.
func (l *loop) publishEvents(until int64) error {
	l.subscription.ApplyWaiting()
	due, gaps, err := l.watcher.Take(until)
	wall, boot := procfs.ReadClocks()
	return errors.Join(err, l.publisher.OfferEvents(wall, boot, due), l.publisher.OfferGaps(wall, boot, append(gaps, l.gaps()...)))
}

// flushEvents publishes all events there are.
func (l *loop) flushEvents() error {
	return errors.Join(l.watcher.Poll(), l.publishEvents(math.MaxInt64))
}

// traceBusiest asks for a trace of the busiest process of the jobs that are to be traced. Most of the time the profiler
// refuses, because the last trace was too short a time ago.
func (l *loop) traceBusiest(procs *schema.Processes) {
	if l.calls.counter != nil {
		return // all are counted
	}
	busiest, most := 0, int64(0)
	for row := range procs.Len() {
		used := procs.Number(metric.CPUPermille, row).V
		if used > most && procs.Text(metric.JobID, row) != "" && l.calls.wants(procs.Text(metric.JobID, row)) {
			busiest, most = procs.PID(row), used
		}
	}
	if most > 0 {
		_ = l.calls.profiler.Suggest(busiest)
	}
}
