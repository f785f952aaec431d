package oom

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// recordSize is the size of the largest record: CONSOLE_EXT_LOG_MAX, Linux include/linux/printk.h; less since 6.0.
	recordSize = 8192
	// maxRecords is how many records one poll reads, so that a flood does not keep it.
	maxRecords = 4096
)

// kmsg reads the kernel's log from its end on. Source: Linux Documentation/ABI/testing/dev-kmsg.
type kmsg struct {
	path  string
	read  func([]byte) (int, error) // one record; EAGAIN when there is none
	close func() error
	buf   []byte
	at    int64  // boot time when it was last read to the end
	lost  uint64 // times that records were overwritten before they were read
}

// openKmsg opens the log, so that it is read from what is written after now.
func openKmsg(path string, now int64) (*kmsg, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("go to the end of %s: %w", path, err)
	}
	return &kmsg{
		path:  path,
		read:  func(buf []byte) (int, error) { return unix.Read(fd, buf) },
		close: func() error { return unix.Close(fd) },
		buf:   make([]byte, recordSize),
		at:    now,
	}, nil
}

// poll reads what was written up to the boot time now, and passes each record of a kill to add.
func (k *kmsg) poll(now int64, add func(record)) error {
	for range maxRecords {
		n, err := k.read(k.buf)
		switch {
		case err == unix.EINTR:
		case err == unix.EPIPE: // the next read goes on with the oldest that is left
			k.lost++
		case err == unix.EAGAIN:
			k.at = now
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", k.path, err)
		case n == 0:
			return fmt.Errorf("read %s: it has an end, so it is not the kernel's log", k.path)
		default:
			if r, ok := parseRecord(k.buf[:n]); ok {
				add(r)
			}
		}
	}
	return nil
}
