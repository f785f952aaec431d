package lifecycle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// noTimeout is a timeout that never comes.
const noTimeout = time.Duration(-1)

// waitReadable returns when a descriptor can be read, or has an error, when the timeout has passed, or, with
// its error, when ctx ends. It waits in poll(2) and not in Go's own poller: that would be woken by every event, also
// while nobody waits.
func waitReadable(ctx context.Context, fd int, timeout time.Duration) (err error) {
	ended, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("create an eventfd: %w", err)
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		_, _ = unix.Write(ended, binary.NativeEndian.AppendUint64(nil, 1)) // fails only past 2^64-2
	})
	defer func() {
		if !stop() {
			<-told
		}
		err = errors.Join(err, unix.Close(ended))
	}()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(ended), Events: unix.POLLIN}}
	until := time.Now().Add(timeout)
	for {
		_, err := unix.Poll(fds, pollTimeout(timeout, time.Until(until)))
		if err != unix.EINTR {
			return errors.Join(err, ctx.Err())
		}
	}
}

// pollTimeout is what is left of a timeout, in the milliseconds of poll(2), rounded up.
func pollTimeout(timeout, left time.Duration) int {
	if timeout < 0 {
		return -1
	}
	return int((max(0, left) + time.Millisecond - 1) / time.Millisecond)
}
