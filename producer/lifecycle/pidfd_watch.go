package lifecycle

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// noPidfd is the descriptor of a process that only listings watch.
const noPidfd = -1

// watched is a process that was there when we last heard of it.
type watched struct {
	Description
	pid    int
	fd     int    // its pidfd, or noPidfd
	kernel bool   // a kernel thread: nobody asks for its events
	inode  uint64 // of its directory when it was last listed: another one may be another process
	listed uint64 // number of the listing that last showed it

	used   sampled   // what the last look knew, when usedAt is set
	usedAt int64     // boot time of that look
	ended  twoClocks // when its end was noticed, while nobody has waited for it
}

// sampled is what a process had used by then, since it started.
type sampled struct {
	cpuMillis         uint64
	readKiB, writeKiB schema.Opt[int64]
}

func sampledOf(s *schema.Process) sampled { return sampled{s.CPUMillis, s.ReadKiB, s.WriteKiB} }

// use takes over what a look at the boot time at knows.
func (w *watched) use(s *schema.Process, at int64) {
	w.PPID, w.UID, w.Command = s.PPID, s.UID, s.Command
	w.used, w.usedAt = sampledOf(s), at
}

// drain takes in what the pidfds tell, until they tell nothing more. Each is told of twice at most: its process has
// ended, and it has been waited for.
func (p *Pidfd) drain(now twoClocks) error {
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
				p.identifyAndWatch(w.pid, now) // who may have the pid by now
			}
		}
		if n < len(events) {
			return nil
		}
	}
}

// compare takes in a listing: who is new, and who of those without a pidfd is gone.
func (p *Pidfd) compare(listed []listedProcess, now twoClocks) {
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
	for _, w := range p.absent() {
		p.remove(w, now)
	}
}

// absent are those without a pidfd whom the last listing did not show, in the order of their pids.
func (p *Pidfd) absent() []*watched {
	var absent []*watched
	for _, w := range p.procs {
		if w.fd == noPidfd && w.listed != p.listing {
			absent = append(absent, w)
		}
	}
	slices.SortFunc(absent, func(a, b *watched) int { return cmp.Compare(a.pid, b.pid) })
	return absent
}

// identifyAndWatch begins to watch the process that has the pid now, and tells of its start unless it is older than the watch.
func (p *Pidfd) identifyAndWatch(pid int, now twoClocks) {
	w, ok := p.identify(pid)
	if !ok {
		return
	}
	p.watch(w)
	if p.since > 0 {
		p.queueSpawn(w, now)
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
		p.queueSpawn(met, now)
	}
}

// addMissed takes in a process of a look that is neither known nor was told to have ended.
func (p *Pidfd) addMissed(s *schema.Process, at twoClocks) {
	news := p.since > 0 && at.boot > p.since
	w, ok := p.identify(s.PID)
	lives := ok && w.StartTicks == s.StartTicks
	if ok && !lives {
		p.release(w) // it has the pid now; the next listing finds it
	}
	if !lives {
		w = &watched{pid: s.PID, fd: noPidfd, kernel: p.isKernelThread(s.PID, s.PPID)}
		w.StartTicks = s.StartTicks
	}
	w.use(s, at.boot)
	if lives {
		if before := p.procs[s.PID]; before != nil { // it had the pid, so it is gone
			p.remove(before, at)
		}
		p.watch(w)
	}
	if news {
		p.queueSpawn(w, at)
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
	if w.Description, ok = p.describe(pid); !ok || w.reaped() {
		p.release(w) // who was described need not be who was opened: the pid may be in use again
		return nil, false
	}
	if w.kernel = p.isKernelThread(pid, w.PPID); w.kernel {
		p.release(w)
	}
	return w, true
}

// open opens a pidfd. Where that cannot be, for want of descriptors or of leave, it returns noPidfd.
func (p *Pidfd) open(pid int) (int, error) {
	if p.held >= p.max {
		return noPidfd, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return noPidfd, err
	case err != nil:
		p.max = p.held // until the next listing do not ask again
		return noPidfd, nil
	case fd >= p.highest: // the kernel gives the lowest number that is free
		unix.Close(fd)
		p.max = p.held
		return noPidfd, nil
	}
	p.held++
	return fd, nil
}

// watch adds w to those who are there, and its pidfd to what drain asks. Edges are asked for: a process that has ended
// and that nobody waits for would be told of again and again.
func (p *Pidfd) watch(w *watched) {
	p.procs[w.pid] = w
	if w.fd == noPidfd {
		return
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(w.pid)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, w.fd, &event); err != nil {
		p.release(w) // more than fs.epoll.max_user_watches
		p.max = p.held
	}
}

// release closes w's pidfd. It is taken off the epoll first: a child that has been forked and has not yet executed its
// program holds the file open, and the epoll with it.
func (p *Pidfd) release(w *watched) {
	if w.fd == noPidfd {
		return
	}
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, w.fd, nil) // it may not have been added
	unix.Close(w.fd)                                          // opened to be asked: there is nothing left to fail
	w.fd = noPidfd
	p.held--
}

// remove forgets w, which is gone, and tells of its end. At is when that was noticed.
func (p *Pidfd) remove(w *watched, at twoClocks) {
	status, known := w.status()
	if p.procs[w.pid] == w {
		delete(p.procs, w.pid)
	}
	p.queueExit(w, status, known, at)
	p.release(w)
}

// reaped reports whether w has a pidfd that says that somebody has waited for it: only then may its pid be another's.
func (w *watched) reaped() bool {
	if w.fd == noPidfd {
		return false
	}
	ask := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(ask, 0)
	return err == nil && n == 1 && ask[0].Revents&unix.POLLHUP != 0
}

// status is how w ended, once it has been waited for, as wait(2) gives it.
func (w *watched) status() (status unix.WaitStatus, known bool) {
	if w.fd == noPidfd {
		return 0, false
	}
	return exitInfo(w.fd)
}

// isKernelThread reports whether the process is kthreadd, which has pid 2, or a child of it that runs no program. In
// another pid namespace pid 2 is nobody in particular. Kthread is in proc_pid_status(5) since Linux 6.8.
func (p *Pidfd) isKernelThread(pid, ppid int) bool {
	const kthreadd = 2
	if pid != kthreadd && ppid != kthreadd {
		return false
	}
	status, err := os.ReadFile(filepath.Join(p.root, strconv.Itoa(pid), "status"))
	return err != nil || bytes.Contains(status, []byte("\nKthread:\t1\n"))
}
