// Package filecheck says whether a path can be trusted before it is used: whether another user could change what is
// there, or has prepared it. A path goes in, and an error comes out that names the command that mends it.
package filecheck

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Folder checks a folder that is to be ours alone, and the way to it: it is no other user's, and nobody else may write to
// it or put another in its place. A folder that does not exist is checked as far as there is anything.
func Folder(path string) error {
	last, err := way(path)
	if err != nil || last == nil {
		return err
	}
	switch {
	case !last.isDir():
		return &os.PathError{Op: "open", Path: last.path, Err: unix.ENOTDIR}
	case last.uid() != os.Geteuid():
		return last.foreign()
	case last.mode()&0o022 != 0:
		return last.writable()
	}
	return nil
}

// Way checks the folders that lead to a path: nobody but root and we may put another file there. The path itself need not
// exist.
func Way(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	last, err := way(filepath.Dir(path))
	if err != nil || last == nil || !last.isDir() {
		return err
	}
	return last.passable()
}

// File checks a file of ours, and not the way to it: it is a regular file under one name, it is no other user's, and nobody
// else may write to it. A file that does not exist is well.
func File(path string) error {
	e, err := entryAt(path)
	if err != nil || e == nil {
		return err
	}
	if err := e.plain(); err != nil {
		return err
	}
	return e.ours()
}

// Secret is File for a file that nobody else may read.
func Secret(path string) error {
	e, err := entryAt(path)
	if err != nil || e == nil {
		return err
	}
	err = e.plain()
	switch {
	case err != nil:
		return err
	case !e.isOurs():
		return e.foreign()
	case e.mode()&0o077 != 0:
		return e.readable()
	}
	return nil
}

// Tree checks a folder of ours and all that is in it, and not the way to it: there are folders and files of ours, and no
// links, pipes or devices. A folder that does not exist is well.
func Tree(path string) error {
	return filepath.WalkDir(path, func(name string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return errors.Join(err, File(name))
		}
		return Subfolder(name)
	})
}

// Subfolder checks a folder within one of ours, and not the way to it: it is no symbolic link, no other user's, and nobody
// else may write to it. A folder that does not exist is well.
func Subfolder(path string) error {
	e, err := entryAt(path)
	switch {
	case err != nil || e == nil:
		return err
	case !e.isDir():
		return e.plain()
	}
	return e.ours()
}

// Read reads a file of at most limit bytes that a user names. It never waits, as a pipe or a device would have it do: it
// is an error when the path is no regular file.
func Read(path string, limit int64) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s, not a file", path, kind(info.Mode()))
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, err
}

// Database checks that SQLite can open a database without waiting: neither the file nor those beside it is a pipe, a socket
// or a device.
func Database(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		info, err := os.Stat(path + suffix)
		if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return fmt.Errorf("%s is %s, not a file", path+suffix, kind(info.Mode()))
		}
	}
	return nil
}

// ReadOurs is Read of a file that nobody but root and we may have written. The path may be a symbolic link.
func ReadOurs(path string, limit int64) ([]byte, error) {
	b, e, err := readOurs(path, limit)
	if err == nil && e.mode()&0o022 != 0 {
		return nil, e.writable()
	}
	return b, err
}

// ReadSecret is ReadOurs of a secret, such as a key: but for a group nobody else may read it.
func ReadSecret(path string, limit int64) ([]byte, error) {
	b, e, err := readOurs(path, limit)
	if err == nil && e.mode()&0o027 != 0 {
		return nil, e.readable()
	}
	return b, err
}

// readOurs reads a file and returns what is at the path, over symbolic links.
func readOurs(path string, limit int64) ([]byte, *entry, error) {
	if _, err := Read(path, limit); err != nil {
		return nil, nil, err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(Way(path), Way(real)); err != nil {
		return nil, nil, err
	}
	b, err := Read(real, limit)
	if err != nil {
		return nil, nil, err
	}
	e, err := entryAt(real)
	switch {
	case err != nil:
		return nil, nil, err
	case e == nil:
		return nil, nil, &os.PathError{Op: "open", Path: real, Err: unix.ENOENT}
	case !e.isOurs():
		return nil, nil, e.foreign()
	}
	return b, e, nil
}

// kind is what a path is that is no regular file.
func kind(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&os.ModeNamedPipe != 0:
		return "a pipe"
	case mode&os.ModeSocket != 0:
		return "a socket"
	case mode&os.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "a device"
}
