package procfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrGone says that a process ended before it could be read. That is a result, not a failure: processes end at any time.
var ErrGone = errors.New("process is gone")

// readError adds what was read to the cause of a failure.
func readError(path string, err error) error {
	return fmt.Errorf("read %s: %w", path, err)
}

// unexpected returns err unless it says that the process ended or that we may not read it, which leave a value unknown.
func unexpected(err error) error {
	if isGone(err) || isDenied(err) {
		return nil
	}
	return err
}

// isGone reports whether err is how the kernel says that a process no longer exists: ENOENT when a file is opened, ESRCH
// when an open one is read.
func isGone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)
}

// isDenied reports whether err says that we may not read it.
func isDenied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}
