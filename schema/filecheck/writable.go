package filecheck

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Writable tries whether this process can make files in a folder. The error is an [os.PathError] with EROFS or EIO where the file
// system takes no writes, also where the kernel made it so after an error of the disk, and with EACCES where the process may not. A full disk is no error here.
// Nothing is left in the folder.
func Writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return &os.PathError{Op: "write", Path: dir, Err: err}
	}
	// Access knows nothing of a file system that takes no writes since an error.
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EIO): // EIO for a moment, while the kernel makes it so
		return &os.PathError{Op: "write", Path: dir, Err: err}
	}
	return nil // the disk is full, or the file system makes no nameless files: nothing is known
}
