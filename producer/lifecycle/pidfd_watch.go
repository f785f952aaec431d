package lifecycle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// readEnds reads from the epoll which pidfds are ready, until none is. Each becomes ready twice at most: its process has
// ended, and it has been waited for.
func (p *Pidfd) readEnds(now twoClocks) error {
	var events [256]unix.EpollEvent
	for {
		n, err := unix.EpollWait(p.epoll, events[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("ask which processes have ended: %w", err)
		}
		for _, e := range events[:n] {
			w := p.procs[int(e.Fd)] // the pid: see watch
			if w == nil {
				continue
			}
			if w.ended == (twoClocks{}) {
				w.ended = now
			}
			if e.Events&unix.EPOLLHUP != 0 {
				p.remove(w, now)
				p.identifyAndWatch(w.pid, now) // another process may have the pid by now
			}
		}
		if n < len(events) {
			return nil
		}
	}
}

// applyListing finds the processes of a listing that are new, and those without a pidfd that are gone.
func (p *Pidfd) applyListing(listed []listedProcess, now twoClocks) {
	for _, l := range listed {
		w := p.procs[l.pid]
		switch {
		case w == nil:
			p.identifyAndWatch(l.pid, now)
		case w.fd == noPidfd && (w.inode != l.inode || !w.kernel && p.held < p.max):
			p.identifyAgain(w, now)
		}
		if w := p.procs[l.pid]; w != nil {
			w.inode, w.listed = l.inode, p.listing
		}
	}
	for _, w := range p.absent(p.listing) {
		p.remove(w, now)
	}
}

// identifyAndWatch begins to watch the process that has the pid now, and queues its spawn unless it is older than the
// watch.
func (p *Pidfd) identifyAndWatch(pid int, now twoClocks) {
	w, ok := p.identify(pid)
	if !ok {
		return
	}
	p.watch(w)
	if p.since > 0 {
		p.queue.addSpawn(w, now)
	}
}

// identifyAgain finds out whether w, which has no pidfd, is still the process that has its pid, and gives it a pidfd when
// there is room by now.
func (p *Pidfd) identifyAgain(w *watched, now twoClocks) {
	met, ok := p.identify(w.pid)
	switch {
	case !ok: // the next listing will not show it
	case met.StartTicks == w.StartTicks:
		w.fd = met.fd
		p.watch(w)
	default:
		p.remove(w, now)
		p.watch(met)
		p.queue.addSpawn(met, now)
	}
}

// addMissed adds a process of a scan that is neither watched nor has an exit.
func (p *Pidfd) addMissed(s *schema.Process, at twoClocks) {
	news := p.since > 0 && at.boot > p.since
	w, ok := p.identify(s.PID)
	lives := ok && w.StartTicks == s.StartTicks
	if ok && !lives {
		p.release(w) // it has the pid now; the next listing finds it
	}
	if !lives {
		w = &watched{pid: s.PID, fd: noPidfd, kernel: isKernelThread(p.root, s.PID, s.PPID)}
		w.StartTicks = s.StartTicks
	}
	w.applyScan(s, at.boot)
	if lives {
		if before := p.procs[s.PID]; before != nil { // it had the pid, so it is gone
			p.remove(before, at)
		}
		p.watch(w)
	}
	if news {
		p.queue.addSpawn(w, at)
	}
	if news && !lives {
		p.remove(w, at)
	}
}

// identify opens a pidfd for the process that has the pid and describes it. Ok is false when there is none any more.
func (p *Pidfd) identify(pid int) (w *watched, ok bool) {
	fd, err := p.open(pid)
	if errors.Is(err, unix.ESRCH) {
		return nil, false
	}
	w = &watched{pid: pid, fd: fd}
	if w.Description, ok = p.describe(pid); !ok || w.hasBeenWaitedFor() {
		p.release(w) // who was described need not be who was opened: the pid may be in use again
		return nil, false
	}
	if w.kernel = isKernelThread(p.root, pid, w.PPID); w.kernel {
		p.release(w)
	}
	return w, true
}

// remove removes w, which is gone, and queues its exit. At is when that was noticed.
func (p *Pidfd) remove(w *watched, at twoClocks) {
	status, known := w.status()
	if p.procs[w.pid] == w {
		delete(p.procs, w.pid)
	}
	p.queue.addExit(w, status, known, at)
	p.release(w)
}

// isKernelThread reports whether the process is kthreadd, which has pid 2, or a child of it that runs no program. In
// another pid namespace pid 2 is nobody in particular. Kthread is in proc_pid_status(5) since Linux 6.8.
func isKernelThread(root string, pid, ppid int) bool {
	const kthreadd = 2
	if pid != kthreadd && ppid != kthreadd {
		return false
	}
	status, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "status"))
	return err != nil || bytes.Contains(status, []byte("\nKthread:\t1\n"))
}

// Pidfd watches each process that it finds in a listing of /proc by a descriptor of its own (man pidfd_open(2)), which
// becomes ready when the process ends and, once its parent has waited for it, says how. It works for every user, for processes of
// every user, in every pid namespace, on Linux 6.15 and later. It cannot see a process that lives between two
// listings, a second apart, unless a scan of /proc happens to show it.
//
// Of CPU and I/O an exit has what the last scan saw. Kernel threads are left out.
type Pidfd struct {
	describe func(pid int) (Description, bool)
	root     string
	dir      int    // descriptor of root
	buffer   []byte // reused by every listing

	watchSet
	queue pidfdQueue

	since    int64        // boot time at which watching began; 0 before
	listing  uint64       // number of the last listing
	listNext atomic.Int64 // boot time at which the next is due
}
