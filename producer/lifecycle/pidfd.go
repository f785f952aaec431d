package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// listEvery is how often /proc is listed for processes that are new.
const listEvery = time.Second

// NewPidfd returns a Pidfd that has seen nothing: its first Poll only finds which processes are there. It fails where the kernel
// does not tell how a process ended (PIDFD_INFO_EXIT, Linux 6.15), and where Root is not the /proc of our own pid
// namespace. The caller closes it.
func NewPidfd(cfg Config) (*Pidfd, error) {
	root := cmp.Or(cfg.Root, "/proc")
	if err := ownNamespace(root); err != nil {
		return nil, fmt.Errorf("watch processes by pidfd: %w", err)
	}
	if err := probeExitInfo(); err != nil {
		return nil, fmt.Errorf("watch processes by pidfd: %w", err)
	}
	dir, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create an epoll: %w", err), unix.Close(dir))
	}
	files := fileLimit()
	limit := min(maxPidfds, files/2)
	return &Pidfd{
		describe: cfg.Describe, root: root, dir: dir, buffer: make([]byte, listBuffer),
		watchSet: watchSet{epoll: epoll, procs: map[int]*watched{}, limit: limit, max: limit, highest: files - spareFiles},
		queue:    pidfdQueue{ended: map[int][]*pidfdEvent{}},
	}, nil
}

// Kind is [KindPidfd].
func (p *Pidfd) Kind() SourceKind { return KindPidfd }

// Wait returns when a process that is watched has ended, or a listing is due.
func (p *Pidfd) Wait(ctx context.Context) error {
	now, err := readTwoClocks()
	if err != nil {
		return err
	}
	return waitReadable(ctx, p.epoll, max(0, time.Duration(p.listNext.Load()-now.boot)))
}

// Poll reads which of the watched processes have ended and, when the last listing is a second old, which are new.
// It is never lossy: each process that was seen has its events. After an error the next Poll goes on where this one stopped.
func (p *Pidfd) Poll() (lossy bool, err error) {
	now, err := readTwoClocks()
	if err != nil {
		return false, err
	}
	if now.boot < p.listNext.Load() {
		return false, p.readEnds(now)
	}
	listed, err := listProcesses(p.dir, p.buffer)
	if err != nil {
		return false, fmt.Errorf("list %s: %w", p.root, err)
	}
	// In this order: a process that has ended by now makes room for the one that has its pid in a later listing.
	if err := p.readEnds(now); err != nil {
		return false, err
	}
	p.listing++
	p.listNext.Store(now.boot + int64(listEvery))
	p.max = p.limit
	p.applyListing(listed, now)
	p.since = cmp.Or(p.since, now.boot) // what was there before has no spawn
	return false, nil
}

// Observe takes over what the scan says of the processes that live, and adds those that the listings missed.
func (p *Pidfd) Observe(scan Scan) {
	for i := range scan.Processes {
		p.observe(&scan.Processes[i], twoClocks{scan.Wall, scan.Boot})
	}
	p.since = cmp.Or(p.since, scan.Boot)
	clear(p.queue.ended) // no later scan can show them
}

func (p *Pidfd) observe(s *schema.Process, at twoClocks) {
	if w := p.procs[s.PID]; w != nil && w.StartTicks == s.StartTicks {
		w.applyScan(s, at.boot)
		return
	}
	if e := p.queue.endOf(s.PID, s.StartTicks); e != nil {
		setUsage(&e.Event, usageOf(s))
		return
	}
	p.addMissed(s, at)
}

// Take returns what happened up to the boot time until, in order. A Pidfd knows of no losses.
func (p *Pidfd) Take(until int64) ([]schema.KindedEvent, []schema.Gap) {
	return p.queue.take(until, p.describeAgain), nil
}

// describeAgain describes a process again whose spawn was seen so early that its command may have been its parent's.
func (p *Pidfd) describeAgain(e *pidfdEvent) {
	if e.describeAgain == nil || p.procs[e.Event.PID] != e.describeAgain {
		return
	}
	if d, ok := p.describe(e.Event.PID); ok && d.StartTicks == e.Event.StartTicks {
		e.describeAgain.Description = d
		e.Event.Command, e.Event.UID = d.Command, d.UID
	}
}

// Close closes every descriptor. A closed Pidfd may not be used again.
func (p *Pidfd) Close() error {
	for _, w := range p.procs {
		p.release(w)
	}
	clear(p.procs)
	return errors.Join(unix.Close(p.epoll), unix.Close(p.dir))
}
