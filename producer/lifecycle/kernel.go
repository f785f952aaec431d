package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

const (
	// kernelPause is how long Wait sleeps between two looks at the ring. The kernel wakes nobody: to be woken costs more than all else.
	kernelPause = 50 * time.Millisecond
	// maxKernelEvents is how much of the ring a poll reads at most.
	maxKernelEvents = 1 << 17
)

// Kernel sees every process of the machine by programs in the kernel: its start, each program that it executes with its arguments, its end with what
// it used to the nanosecond, and who sent the signal that ended it. Events that were lost are counted, and the processes found
// again by scans of /proc.
//
// An exit's Core says that the signal is one that dumps core, written or not. Kernel threads are left out. PPID is the parent
// that forked the process, also after it has got another.
type Kernel struct {
	source  eventReader
	command func(comm string, args []string) string
	tracker *tracker
	ends    ends
	senders senders
	events  []bpf.Event // reused by every read
}

// openKernel loads the programs. The caller closes it.
func openKernel(cfg Config) (*Kernel, error) {
	if cfg.Command == nil {
		return nil, errors.New("open programs in the kernel: nobody renders command lines")
	}
	source, err := bpf.OpenEvents()
	if err != nil {
		return nil, err
	}
	k := &Kernel{source: source, command: cfg.Command, tracker: newTracker(cfg.Describe, isAlive, true),
		ends: newEnds(), senders: senders{}}
	k.tracker.sources = sources{SourceBPF, SourceBPF}
	return k, nil
}

// eventReader is what events are read of: [bpf.Events].
type eventReader interface {
	Waiting() int
	Read(dst []bpf.Event, most int) (events []bpf.Event, lost map[bpf.Kind]uint64, err error)
	Close() error
}

// Kind is [KindBPF].
func (k *Kernel) Kind() SourceKind { return KindBPF }

// Wait returns when events wait in the ring.
func (k *Kernel) Wait(ctx context.Context) error {
	for k.source.Waiting() == 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(kernelPause):
		}
	}
	return nil
}

// Poll reads what waits in the ring, up to a limit, and describes the processes that are new and live.
func (k *Kernel) Poll() (lossy bool, err error) {
	const keep = 1 << 12 // a burst's memory is not kept
	if cap(k.events) > keep {
		k.events = nil
	}
	b := batch{commands: map[int]string{}}
	if b.clocks, err = readClocks(); err != nil {
		b.clocks = k.tracker.clocks
	}
	events, lost, readErr := k.source.Read(k.events[:0], maxKernelEvents)
	k.events = events
	for i := range events {
		k.add(&b, &events[i])
	}
	for kind, n := range lost {
		k.addLost(&b, kind, n)
	}
	k.ends.conclude(&b, EventDelay-kernelPause)
	return k.tracker.poll(b), errors.Join(err, readErr)
}

// add adds an event to a batch, as the tracker has it.
func (k *Kernel) add(b *batch, e *bpf.Event) {
	of := netlink.Event{PID: e.PID, TGID: e.PID, Time: e.Time - b.sinceStart}
	switch e.Kind {
	case bpf.Fork:
		of.Kind, of.ParentPID, of.ParentTGID, of.Time = netlink.Fork, e.Parent, e.Parent, e.Start-b.sinceStart
	case bpf.Exec:
		of.Kind = netlink.Exec
		if len(e.Args) > 0 {
			b.commands[len(b.events)] = k.command(e.Comm, e.Args)
		}
	case bpf.Peak:
		k.ends.notePeak(e)
		return
	case bpf.Exit:
		if !k.ends.begin(e, b.boot) {
			return // two threads ended at one moment
		}
		of.Kind, of.Status = netlink.Exit, e.Status
	case bpf.Free:
		k.ends.finish(b, e)
		return
	case bpf.Signal:
		k.senders.note(e)
		return
	default:
		return
	}
	b.events = append(b.events, of)
}

// addLost adds to a batch that n events of a kind were lost. What an end lacks because its second half was lost is told when that is overdue.
func (k *Kernel) addLost(b *batch, kind bpf.Kind, n uint64) {
	switch kind {
	case bpf.Fork, bpf.Exec, bpf.Exit:
		b.overrun, b.lostEvents = true, b.lostEvents+int64(n)
	}
}

// Observe finds in a scan of /proc the processes whose events were lost.
func (k *Kernel) Observe(scan Scan) { k.tracker.observe(scan) }

// Take returns the events, in the order of the kernel's clock, and what was lost.
func (k *Kernel) Take(until int64) ([]schema.KindedEvent, []schema.Gap) {
	if until == math.MaxInt64 { // the last time: nothing more will come
		b := batch{clocks: k.tracker.clocks}
		k.ends.conclude(&b, 0)
		k.tracker.poll(b)
	}
	events, gaps := k.tracker.take(until)
	for i := range events {
		if events[i].Kind == schema.KindExit {
			k.senders.explain(&events[i].Event)
		}
	}
	k.senders.forget(k.tracker.boot)
	return events, gaps
}

// Close drops the programs.
func (k *Kernel) Close() error {
	if err := k.source.Close(); err != nil {
		return fmt.Errorf("drop the programs in the kernel: %w", err)
	}
	return nil
}
