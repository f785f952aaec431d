package lifecycle

import (
	"cmp"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// watchSet holds the processes that are watched, and their pidfds.
type watchSet struct {
	epoll int
	procs map[int]*watched // that live, or that nobody has waited for, by pid

	held    int // pidfds now open
	limit   int // pidfds that may be
	max     int // the same, or fewer once no more were to be had since the last listing
	highest int // no pidfd has this number or a higher one: some descriptors are left to others
}

// absent are the processes without a pidfd that the last listing did not show, in the order of their pids.
func (s *watchSet) absent(listing uint64) []*watched {
	var absent []*watched
	for _, w := range s.procs {
		if w.fd == noPidfd && w.listed != listing {
			absent = append(absent, w)
		}
	}
	slices.SortFunc(absent, func(a, b *watched) int { return cmp.Compare(a.pid, b.pid) })
	return absent
}

// open opens a pidfd. Where that cannot be, for want of descriptors or of leave, it returns noPidfd.
func (s *watchSet) open(pid int) (int, error) {
	if s.held >= s.max {
		return noPidfd, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return noPidfd, err
	case err != nil:
		s.max = s.held // until the next listing do not ask again
		return noPidfd, nil
	case fd >= s.highest: // the kernel gives the lowest number that is free
		unix.Close(fd)
		s.max = s.held
		return noPidfd, nil
	}
	s.held++
	return fd, nil
}

// watch adds w to those who are there, and its pidfd to what drain asks. Edges are asked for: a process that has ended
// and that its parent does not wait for would be reported again and again.
func (s *watchSet) watch(w *watched) {
	s.procs[w.pid] = w
	if w.fd == noPidfd {
		return
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(w.pid)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, w.fd, &event); err != nil {
		s.release(w) // more than fs.epoll.max_user_watches
		s.max = s.held
	}
}

// release closes w's pidfd. It is taken off the epoll first: a child that has been forked and has not yet executed its
// program holds the file open, and the epoll with it.
func (s *watchSet) release(w *watched) {
	if w.fd == noPidfd {
		return
	}
	_ = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, w.fd, nil) // it may not have been added
	unix.Close(w.fd)                                          // opened to be asked: there is nothing left to fail
	w.fd = noPidfd
	s.held--
}
