package lifecycle

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxPidfds    = 8192            // pidfds open at a time, at most, and half of the descriptors there may be
	spareFiles   = 128             // descriptors left to the rest of this process
	pidfdThread  = unix.O_EXCL     // PIDFD_THREAD, include/uapi/linux/pidfd.h, Linux 6.9
	probeTimeout = 2 * time.Second // for a thread to end; it takes some microseconds
)

// fileLimit is how many descriptors this process may have open. Go has raised the soft limit to the hard one when the
// program started (package os).
func fileLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}

var errOtherNamespace = errors.New("does not show the processes of our own pid namespace")

// ownNamespace reports an error unless root is a proc file system that shows our own pid namespace: pidfd_open knows
// no other pids. Such a one knows us by the pid that we know ourselves by (man pid_namespaces(7)).
func ownNamespace(root string) error {
	self, err := os.Readlink(filepath.Join(root, "self"))
	if err == nil && self != strconv.Itoa(os.Getpid()) {
		err = fmt.Errorf("it says that our pid is %s, and it is %d", self, os.Getpid())
	}
	if err != nil {
		return fmt.Errorf("%s %w: %w", root, errOtherNamespace, err)
	}
	return nil
}

// exitInfo is how the process, or thread, of a pidfd ended, as wait(2) gives it. Known is false before it has been
// waited for. Source: PIDFD_GET_INFO, Linux fs/pidfs.c, pidfd_info.
func exitInfo(pidfd int) (status unix.WaitStatus, known bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := unix.IoctlPidfdInfo(pidfd, &info); err != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return 0, false
	}
	return unix.WaitStatus(info.Exit_code), true
}

// probeExitInfo reports an error unless the kernel tells how a process ended. The only way to know is to ask about one
// that has ended: a thread of our own serves, since nothing need be executed for it and nobody need wait for it.
func probeExitInfo() error {
	pidfd, err := openEndingThread()
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if err := awaitHangup(pidfd); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if _, known := exitInfo(pidfd); !known {
		return errors.New("the kernel does not tell how a process ended (PIDFD_INFO_EXIT): it is older than Linux 6.15")
	}
	return nil
}

// openEndingThread opens a pidfd for a thread that then ends. The caller closes it.
func openEndingThread() (pidfd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: a thread whose goroutine returns locked ends with it
		if unix.Gettid() == unix.Getpid() {
			pidfd, err = openEndingThread() // the main thread would not end; while we hold it, the next is another
			runtime.UnlockOSThread()
			return
		}
		if pidfd, err = unix.PidfdOpen(unix.Gettid(), pidfdThread); err != nil {
			err = fmt.Errorf("pidfd_open of a thread, which takes Linux 6.9: %w", err)
		}
	}()
	<-done
	return pidfd, err
}

// awaitHangup waits until the thread of a pidfd is gone.
func awaitHangup(pidfd int) error {
	deadline := time.Now().Add(probeTimeout)
	for ask := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLHUP}}; ; {
		left := time.Until(deadline)
		_, err := unix.Poll(ask, int(left.Milliseconds()))
		switch {
		case ask[0].Revents&unix.POLLHUP != 0:
			return nil
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("poll a pidfd: %w", err)
		case left <= 0:
			return errors.New("a thread of our own did not end in time")
		}
	}
}
