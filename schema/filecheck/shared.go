package filecheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// sharedMode is the mode of a folder that is shared with its group, which may look into it. By the bit S_ISGID what is made in
// it belongs to the group, inode(7).
const sharedMode = unix.S_ISGID | 0o750

// Group is the group with which a folder is shared; ok is false for a folder that is its owner's alone.
func Group(folder string) (gid int, ok bool) {
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return 0, false
	}
	return int(st.Gid), st.Mode&(unix.S_ISGID|0o050) == unix.S_ISGID|0o050
}

// Share makes a folder, unless it is there, and shares it with a group: who is in the group may read the files that are in it, of whatever
// name, and those that [Create] makes there later. Folders below it stay as they are.
func Share(folder string, gid int) error {
	if err := Folder(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		return &os.PathError{Op: "stat", Path: folder, Err: err}
	}
	if int(st.Gid) != gid || st.Mode&0o7777 != sharedMode { // a service may not be allowed to set that bit, and its manager has
		if err := os.Chown(folder, -1, gid); err != nil {
			return err
		}
		if err := unix.Chmod(folder, sharedMode); err != nil {
			return &os.PathError{Op: "chmod", Path: folder, Err: err}
		}
	}
	list, err := os.ReadDir(folder)
	for _, e := range list {
		if e.Type().IsRegular() {
			f, err2 := Create(filepath.Join(folder, e.Name()), os.O_RDONLY)
			if err2 == nil {
				err2 = f.Close()
			}
			err = errors.Join(err, err2)
		}
	}
	return err
}

// Create opens a file of ours, and makes it when flag says so: for its owner alone (mode 0600), and in a folder that is shared for the
// folder's group to read (0640). It follows no symbolic link at the end of the path. The caller closes it.
func Create(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	gid, shared := Group(filepath.Dir(path))
	if !shared {
		return f, nil
	}
	if err := shareFile(f, gid); err != nil {
		return nil, errors.Join(fmt.Errorf("share %s with its folder's group: %w", path, err), f.Close())
	}
	return f, nil
}

// shareFile lets a group read a file.
func shareFile(f *os.File, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if int(st.Gid) != gid {
		if err := f.Chown(-1, gid); err != nil {
			return err
		}
	}
	if st.Mode&0o777 == 0o640 {
		return nil
	}
	return unix.Fchmod(int(f.Fd()), 0o640)
}
