package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// SourcePidfd is the source that the events of a [Pidfd] name.
const SourcePidfd = "pidfd"

// listEvery is how often /proc is listed for processes that are new.
const listEvery = time.Second

// Pidfd watches each process that it finds in a listing of /proc by a descriptor of its own (man pidfd_open(2)), which
// tells when the process ends and, once its parent has waited for it, how. It works for every user, for processes of
// every user, in every pid namespace, on Linux 6.15 and later. It cannot see a process that lives between two
// listings, a second apart, unless a look at /proc happens to show it.
//
// Of CPU and I/O an exit has what the last look saw. Kernel threads are left out.
type Pidfd struct {
	describe func(pid int) (Description, bool)
	root     string
	dir      int // descriptor of root
	epoll    int
	buffer   []byte // reused by every listing

	procs map[int]*watched // who lives, or has not been waited for, by pid

	held    int // pidfds now open
	limit   int // pidfds that may be
	max     int // the same, or fewer once no more were to be had since the last listing
	highest int // no pidfd has this number or a higher one: some descriptors are left to others

	since    int64        // boot time at which watching began; 0 before
	listing  uint64       // number of the last listing
	listNext atomic.Int64 // boot time at which the next is due

	pending []*pidfdEvent
	// ended are the ends that were told since the last look, by pid: the next look may show who has ended since.
	ended map[int][]*pidfdEvent
}

// pidfdEvent is an occurrence that waits to be taken.
type pidfdEvent struct {
	schema.KindedEvent
	describeAgain *watched // whose spawn it is, when it was described so soon after its start that an exec may have followed
}

// moveBack moves an end that was noticed late to the boot time boot, by which it must have come.
func (e *pidfdEvent) moveBack(boot int64) {
	if late := e.Event.Boot - boot; late > 0 {
		e.Event.Boot -= late
		e.Event.Wall -= late
		e.Event.Lifetime.V = max(0, e.Event.Lifetime.V-late/int64(time.Millisecond))
	}
}

// twoClocks is one point of time on both clocks, in nanoseconds.
type twoClocks struct {
	wall int64 // since 1970
	boot int64 // CLOCK_BOOTTIME
}

func readTwoClocks() (twoClocks, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return twoClocks{}, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	return twoClocks{time.Now().UnixNano(), ts.Nano()}, nil
}

// movedTo is m moved to the boot time boot.
func (m twoClocks) movedTo(boot int64) twoClocks { return twoClocks{m.wall - (m.boot - boot), boot} }

// NewPidfd returns a Pidfd that has seen nothing: its first Poll only learns who is there. It fails where the kernel
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
		describe: cfg.Describe, root: root, dir: dir, epoll: epoll, buffer: make([]byte, listBuffer),
		procs: map[int]*watched{}, limit: limit, max: limit, highest: files - spareFiles,
		ended: map[int][]*pidfdEvent{},
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

// Poll takes in which of the watched processes have ended and, when the last listing is a second old, who is new.
// It is never lossy: whoever was seen is told of. After an error the next Poll goes on where this one stopped.
func (p *Pidfd) Poll() (lossy bool, err error) {
	now, err := readTwoClocks()
	if err != nil {
		return false, err
	}
	if now.boot < p.listNext.Load() {
		return false, p.drain(now)
	}
	listed, err := listProcesses(p.dir, p.buffer)
	if err != nil {
		return false, fmt.Errorf("list %s: %w", p.root, err)
	}
	// In this order: who has ended by now makes room for who has the pid in a later listing.
	if err := p.drain(now); err != nil {
		return false, err
	}
	p.listing++
	p.listNext.Store(now.boot + int64(listEvery))
	p.max = p.limit
	p.compare(listed, now)
	p.setStart(now.boot)
	return false, nil
}

// setStart notes when watching began. Who was there before has no spawn.
func (p *Pidfd) setStart(boot int64) {
	if p.since == 0 {
		p.since = boot
	}
}

// Observe takes over what the look knows of those who live, and adds whom the listings missed.
func (p *Pidfd) Observe(look Scan) {
	for i := range look.Processes {
		p.observe(&look.Processes[i], twoClocks{look.Wall, look.Boot})
	}
	p.setStart(look.Boot)
	clear(p.ended) // no later look can show them
}

func (p *Pidfd) observe(s *schema.Process, at twoClocks) {
	if w := p.procs[s.PID]; w != nil && w.StartTicks == s.StartTicks {
		w.use(s, at.boot)
		return
	}
	for _, e := range p.ended[s.PID] {
		if e.Event.StartTicks == s.StartTicks {
			setUsage(&e.Event, sampledOf(s))
			return
		}
	}
	p.addMissed(s, at)
}

// Take returns what happened up to the boot time until, in order. A Pidfd knows of no losses.
func (p *Pidfd) Take(until int64) ([]schema.KindedEvent, []schema.Gap) {
	slices.SortStableFunc(p.pending, func(a, b *pidfdEvent) int { return cmp.Compare(a.Event.Boot, b.Event.Boot) })
	var out []schema.KindedEvent
	for _, e := range p.pending {
		if e.Event.Boot > until {
			break
		}
		p.describeAgain(e)
		out = append(out, e.KindedEvent)
	}
	p.pending = slices.Delete(p.pending, 0, len(out))
	return out, nil
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
