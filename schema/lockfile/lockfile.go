// Package lockfile lets one process at a time own a store or a database: it takes a path in and gives a held lock,
// or the pid of who holds it.
package lockfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// Lock is a held lock. The kernel releases it when the process ends, however it ends, so a stale file never keeps
// anyone out. It is an open file description lock (fcntl_locking(2)): flock(2) cannot say whether a lock is held
// but by trying to take it, which keeps out whoever tries at the same time.
type Lock struct{ f *os.File }

// Acquire takes the lock at path without waiting, creating the file where there is none, and writes this process's pid
// and machine into it. It returns a *[HeldError] when another process has it, and a *[filecheck.Error] when another user could have
// made the file. On storage that machines may share it is a *[HeldError] too that another machine had it last and did not release it, and a lock that
// comes from another machine takes some seconds.
func Acquire(path string) (*Lock, error) {
	if err := errors.Join(filecheck.Way(path), filecheck.File(path)); err != nil {
		return nil, err
	}
	f, err := filecheck.Create(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := Try(f); err != nil {
		defer f.Close()
		if held, ok := errors.AsType[*HeldError](err); ok {
			held.PID = readPID(f)
		}
		return nil, err
	}
	if err := claim(f, strconv.Itoa(os.Getpid())); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Try takes the lock of an open file without waiting. Closing the file gives it up. It returns a *[HeldError] when another
// process has it.
func Try(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, wholeFile())
	switch {
	case errors.Is(err, unix.EAGAIN):
		return &HeldError{Path: f.Name()}
	case err != nil:
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// Release gives the lock up. The file stays: removing it would let two processes lock two files of one name. That it cannot be written is no
// error: another machine on the same storage is kept out then.
func (l *Lock) Release() error {
	_ = writeContent(l.f, content{machine: thisMachine(), released: true})
	return l.f.Close()
}

// Owner is the pid of the process that holds the lock at path; ok is false when nobody does.
func Owner(path string) (pid int, ok bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	lock := wholeFile()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, lock); err != nil || lock.Type == unix.F_UNLCK {
		return 0, false
	}
	return readPID(f), true
}

// DatabasePath is the file whose lock says who writes the database at path.
func DatabasePath(path string) string { return path + ".lock" }

// DatabaseOwner is the pid of the process that writes the database at path; ok is false when nobody does.
func DatabaseOwner(path string) (pid int, ok bool) { return Owner(DatabasePath(path)) }

// wholeFile is a write lock from the file's first byte to its end, wherever that is.
func wholeFile() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} }

func readPID(f *os.File) int {
	pid, err := strconv.Atoi(readContent(f).pid)
	if err != nil {
		return 0
	}
	return pid
}
