package filecheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// entry is what is at a path, a symbolic link as itself.
type entry struct {
	path string
	st   unix.Stat_t
}

// entryAt is what is at a path; nil when there is nothing.
func entryAt(path string) (*entry, error) {
	e := &entry{path: path}
	err := unix.Lstat(path, &e.st)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return e, nil
}

func (e *entry) uid() int     { return int(e.st.Uid) }
func (e *entry) mode() uint32 { return e.st.Mode }
func (e *entry) isDir() bool  { return e.st.Mode&unix.S_IFMT == unix.S_IFDIR }
func (e *entry) isOurs() bool { return e.uid() == os.Geteuid() || e.uid() == 0 }
func (e *entry) isLink() bool { return e.st.Mode&unix.S_IFMT == unix.S_IFLNK }

// plain checks that it is a regular file under one name.
func (e *entry) plain() error {
	switch e.mode() & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFLNK:
		return &Error{e.path, "is a symbolic link", "rm " + quote(e.path), unix.ELOOP}
	case unix.S_IFDIR:
		return &Error{e.path, "is a folder", "mv " + quote(e.path) + " " + quote(e.path+".old"), unix.EISDIR}
	default:
		return &Error{e.path, "is a pipe, a socket or a device, not a file", "rm " + quote(e.path), nil}
	}
	if e.st.Nlink > 1 {
		return &Error{e.path, "is a file with another name elsewhere (a hard link)",
			fmt.Sprintf("cp -p %[1]s %[1]s.new && mv %[1]s.new %[1]s", quote(e.path)), nil}
	}
	return nil
}

// ours checks that it is root's or ours, and that nobody else may write to it.
func (e *entry) ours() error {
	switch {
	case !e.isOurs():
		return e.foreign()
	case e.mode()&0o022 != 0:
		return e.writable()
	}
	return nil
}

// foreign is the error of what belongs to another user.
func (e *entry) foreign() error {
	chown := "chown"
	if e.isLink() {
		chown = "chown -h"
	}
	return &Error{e.path, fmt.Sprintf("belongs to another user (uid %d)", e.uid()), fmt.Sprintf("%s %d %s", chown, os.Geteuid(), quote(e.path)), nil}
}

// writable is the error of what others may write to.
func (e *entry) writable() error {
	return &Error{e.path, fmt.Sprintf("may be written to by others (mode %04o)", e.mode()&0o7777), "chmod go-w " + quote(e.path), nil}
}

// readable is the error of a secret that others may read.
func (e *entry) readable() error {
	return &Error{e.path, fmt.Sprintf("is a secret that others may read (mode %04o)", e.mode()&0o7777), "chmod 600 " + quote(e.path), nil}
}

// maxLinks is how many symbolic links a path may lead over, as in the kernel: man path_resolution(7).
const maxLinks = 40

// way follows a path from the root on, over symbolic links, and checks each folder that it passes and the links
// themselves. It returns what is at the end, which is not checked; nil when there is nothing.
func way(path string) (*entry, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	at, rest := "/", names(path)
	for links := 0; ; {
		e, err := entryAt(at)
		if err != nil || e == nil {
			return nil, err
		}
		switch {
		case e.isLink():
			if links++; links > maxLinks {
				return nil, &os.PathError{Op: "follow", Path: path, Err: unix.ELOOP}
			}
			if !trusted(e.uid()) {
				return nil, e.foreign()
			}
			target, err := os.Readlink(at)
			if err != nil {
				return nil, err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			at, rest = "/", append(names(target), rest...)
			continue
		case len(rest) == 0:
			return e, nil
		}
		if err := e.passable(); err != nil {
			return nil, err
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:]
	}
}

// passable checks a folder on the way: nobody but root and we may exchange what is in it, or only what is his own, where
// it is sticky as /tmp is.
func (e *entry) passable() error {
	switch {
	case !trusted(e.uid()):
		return e.foreign()
	case e.mode()&unix.S_ISVTX != 0:
		return nil
	case e.mode()&0o002 != 0 || e.mode()&0o020 != 0 && !e.groupIsOurs():
		return e.writable()
	}
	return nil
}

// groupIsOurs reports whether the group is the private one of an ordinary user, which has his number and no other member.
func (e *entry) groupIsOurs() bool {
	uid := os.Geteuid()
	return uid != 0 && e.uid() == uid && int(e.st.Gid) == uid
}

// trusted reports whether a user may own a folder on the way: root and we ourselves. Where root is not to be seen, as in
// a container of an ordinary user, the owner of / is root.
func trusted(uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	top, err := entryAt("/")
	return err == nil && top != nil && top.uid() == uid
}

// names are the elements of a path.
func names(path string) []string {
	return strings.FieldsFunc(filepath.Clean(path), func(r rune) bool { return r == '/' })
}
