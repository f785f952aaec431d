package procfs

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

const maxFileSize = 4 << 20 // no proc file we read whole is larger

// statBufferSize is how much is read at first of a stat, statm, io or small host file.
const statBufferSize = 4096

// errTooLarge says that a file exceeds maxFileSize.
var errTooLarge = errors.New("file too large")

// openAt opens path for reading, relative to the directory descriptor dir, and never waits: a named pipe in a folder that
// only looks like proc has nobody at its other end. The files of proc that we read are no links, and what a link names
// is another file. The caller closes the descriptor.
func openAt(dir int, path string, flags int) (int, error) {
	return openWaiting(dir, path, unix.O_NONBLOCK|unix.O_NOFOLLOW|flags)
}

// openWaiting is openAt for a caller that may wait, for as long as it takes.
func openWaiting(dir int, path string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// readOnce reads a file that the kernel hands out in a single piece, from its start, into buf, and returns the part that
// it filled.
func readOnce(fd int, buf []byte) ([]byte, error) {
	for {
		n, err := unix.Pread(fd, buf, 0)
		if err == nil {
			return buf[:n], nil
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// readFull fills buf from the start of fd until the file ends or buf is full.
func readFull(fd int, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		default:
			n += m
		}
	}
	return n, nil
}

// readAll reads a file from its start to its end into buf, growing it when it is too small. It returns the data and the
// buffer to use next time.
func readAll(fd int, buf []byte) (data, next []byte, err error) {
	n := 0
	for {
		if n == len(buf) {
			if n >= maxFileSize {
				return nil, buf, errTooLarge
			}
			buf = append(buf, make([]byte, max(n, statBufferSize))...)
		}
		m, err := unix.Pread(fd, buf[n:], int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, buf, err
		case m == 0:
			return buf[:n], buf, nil
		default:
			n += m
		}
	}
}

// readSmall opens name under dir, reads it in a single piece into buf and closes it.
func readSmall(dir int, name string, buf []byte) ([]byte, error) {
	fd, err := openAt(dir, name, 0)
	if err != nil {
		return nil, err
	}
	data, err := readOnce(fd, buf)
	return data, errors.Join(err, unix.Close(fd))
}

// readHead reads the file name under dir until it ends or buf is full.
func readHead(dir int, name string, buf []byte) ([]byte, error) {
	fd, err := openWaiting(dir, name, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := readFull(fd, buf)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}
