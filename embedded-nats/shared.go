package embeddednats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// A data folder that is shared with a group (filecheck.Group) has a socket that the group may connect to, and two keys that it may read:
// the reader's, and the member's, which publishes the job events of this machine.

// sharedRoles are the roles whose keys the group may read.
var sharedRoles = []Role{RoleReader, RoleMember}

// isShared reports whether a key's file is one that a group may read: it is ours, and nobody may write to it but we.
func isShared(path string) bool {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || filecheck.File(path) != nil {
		return false
	}
	of := func(r Role) bool { return filepath.Base(path) == string(r)+".nk" }
	return slices.ContainsFunc(sharedRoles, of) && st.Mode&0o027 == 0
}

// shareKeys lets the group of a data folder read the keys of sharedRoles in its folder of keys when the data folder is shared, and
// takes that from it when it is not.
func shareKeys(dir string) error {
	gid, shared := filecheck.Group(filepath.Dir(dir))
	for _, role := range sharedRoles {
		if err := setGroup(filepath.Join(dir, string(role)+".nk"), gid, shared, 0o640, 0o600); err != nil {
			return fmt.Errorf("share the keys with the group: %w", err)
		}
	}
	if err := setGroup(dir, gid, shared, 0o710, 0o700); err != nil { // a member opens the two by name, and lists nothing
		return fmt.Errorf("share the keys with the group: %w", err)
	}
	return nil
}

// setGroup gives what is at a path a group and the mode of what is shared, or else the mode of what is not. An owner's mode that is
// narrower stays.
func setGroup(path string, gid int, shared bool, mode, alone uint32) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if !shared {
		if st.Mode&0o077 == 0 {
			return nil
		}
		return chmod(path, alone)
	}
	var err error
	if int(st.Gid) != gid {
		err = os.Lchown(path, -1, gid)
	}
	if st.Mode&0o777 != mode {
		err = errors.Join(err, chmod(path, mode))
	}
	return err
}

func chmod(path string, mode uint32) error {
	if err := unix.Chmod(path, mode); err != nil {
		return &os.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}
