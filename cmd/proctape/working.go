package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema/state"
	"github.com/proctape/proctape/schema/trouble"
)

// working is a command that records or projects until it is told to end: what it says of itself.
type working struct {
	began   time.Time
	command string
	log     *slog.Logger
	memory  memory
	trouble *trouble.Reporter
	watched *watchdog

	sampler  atomic.Pointer[producer.Producer]   // once there is one
	projects atomic.Pointer[projector.Projector] // once there is one
}

// newWorking has the program keep to its memory, and tells the service manager nothing yet.
func newWorking(cmd *cobra.Command, s *settings) *working {
	log := s.logger(cmd)
	w := &working{began: time.Now(), command: cmd.Name(), log: log, memory: s.memory, trouble: trouble.NewReporter(log)}
	w.watched = newWatchdog(w.notify, log)
	w.trouble.CountLosses(func() uint64 {
		if p := w.sampler.Load(); p != nil {
			return p.Stats().Dropped
		}
		return 0
	})
	return w
}

// notify tells the service manager how the command is.
func (w *working) notify(lines ...string) {
	if err := notifyManager(lines...); err != nil {
		w.log.Debug("the service manager does not listen", "err", err)
	}
}

// ready tells the service manager that the command does its work, and once ctx ends that it stops. What is returned waits for the latter
// to be told.
func (w *working) ready(ctx context.Context) (done func()) {
	w.notify("READY=1")
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		w.notify("STOPPING=1")
	})
	return func() {
		if !stop() {
			<-told
		}
	}
}

// keeper writes how the command is beside its database.
func (w *working) keeper(db string) *state.Keeper {
	return state.NewKeeper(state.Path(db), w.state, w.log)
}

// state is what the command says of itself.
func (w *working) state() state.Process {
	p := state.Process{Command: w.command, Started: w.began.UnixNano(), Memory: w.memory.state(), Troubles: w.trouble.Open()}
	if s := w.sampler.Load(); s != nil {
		p.Sampler = samplerState(s)
		p.Programs = programsState(s)
	}
	if proj := w.projects.Load(); proj != nil {
		commits := proj.Commits()
		p.Projects, p.Commits = map[string]state.Place{}, &commits
		for name, at := range proj.Positions() {
			place := state.Place{Seq: at.Folded}
			if !at.Moved.IsZero() {
				place.Moved = at.Moved.UnixNano()
			}
			p.Projects[name] = place
		}
	}
	return p
}

// samplerState is how far a sampler is.
func samplerState(p *producer.Producer) *state.Sampler {
	stats, queue, acks := p.Stats(), p.Queue(), p.Acks()
	s := &state.Sampler{Host: p.Host(), Instance: p.Instance().String(), Interval: int64(p.Interval()), Produced: stats.Produced, Acked: stats.Acked,
		Dropped: stats.Dropped, Messages: queue.Messages, Waiting: queue.Items, WaitingBytes: queue.Bytes, QueueBytes: queue.Limit,
		Disk: state.Disk{Messages: queue.Disk.Messages, Items: queue.Disk.Items, Bytes: queue.Disk.Bytes}, Last: map[string]int64{}, Acks: &acks}
	for kind, n := range queue.Last {
		s.Last[string(kind)] = int64(n)
	}
	return s
}

// programsState is what a sampler has loaded into the kernel; nil for nothing.
func programsState(p *producer.Producer) *state.Programs {
	if !slices.ContainsFunc(p.Capabilities(), func(c producer.Capability) bool { return c.Have && strings.Contains(string(c.Name), "bpf") }) {
		return nil
	}
	u, err := bpf.ReadUsage("/proc/self")
	if err != nil || u.Programs == 0 {
		return nil
	}
	s := &state.Programs{Programs: u.Programs, Memory: u.Memory}
	if u.Counted {
		seconds := u.RunTime.Seconds()
		s.RunTime = &seconds
	}
	return s
}

// watchProducer adds the parts of a producer, which say something once in each interval.
func (w *working) watchProducer(cfg *producer.Config) {
	cfg.Beat = w.watched.part("the sampler", 2*cfg.Interval)
	cfg.PublishBeat = w.watched.part("publishing", 2*cfg.Interval)
}

// reopenFiles is what has the projector open the files anew that another program rotates.
func (w *working) reopenFiles(files *fileFlags) func() (did string, err error) {
	return func() (string, error) {
		p := w.projects.Load()
		if p == nil || files.rotate != rotateNever {
			return "", nil
		}
		p.ReopenFiles()
		return "the files that were rotated", nil
	}
}
