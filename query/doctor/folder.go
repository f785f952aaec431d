package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// fileSystems are those that matter. Source: Linux include/uapi/linux/magic.h, and fs/smb/client/cifsglob.h.
var fileSystems = map[int64]struct {
	name             string
	remote, fleeting bool
}{
	unix.NFS_SUPER_MAGIC: {"NFS", true, false}, 0xff534d42: {"CIFS", true, false}, 0xfe534d42: {"SMB", true, false}, unix.SMB_SUPER_MAGIC: {"SMB", true, false},
	unix.V9FS_MAGIC: {"9P", true, false}, unix.TMPFS_MAGIC: {"tmpfs", false, true}, unix.RAMFS_MAGIC: {"ramfs", false, true},
	unix.OVERLAYFS_SUPER_MAGIC: {"overlay", false, false}, unix.EXT4_SUPER_MAGIC: {"ext4", false, false}, unix.XFS_SUPER_MAGIC: {"XFS", false, false},
	unix.BTRFS_SUPER_MAGIC: {"Btrfs", false, false}, 0x2fc12fc1: {"ZFS", false, false},
}

// TryFolder tries whether a recording can be kept in a folder: it makes a file there, or in the folder above it that exists, syncs it and
// removes it.
func TryFolder(path string) Folder {
	f := Folder{Path: path, Tried: path}
	info, err := os.Stat(path)
	f.Exists = err == nil
	for err != nil && errors.Is(err, os.ErrNotExist) && f.Tried != filepath.Dir(f.Tried) {
		f.Tried = filepath.Dir(f.Tried)
		info, err = os.Stat(f.Tried)
	}
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "open", Path: f.Tried, Err: unix.ENOTDIR}
	}
	if err == nil && f.Exists {
		err = filecheck.Folder(path)
	} else if err == nil {
		err = filecheck.Way(path)
	}
	var mount unix.Statfs_t
	if unix.Statfs(f.Tried, &mount) == nil {
		f.Free = mount.Bavail * uint64(mount.Bsize)
		kind := fileSystems[int64(mount.Type)]
		f.FS, f.Remote, f.Fleeting = kind.name, kind.remote, kind.fleeting
	}
	if err == nil {
		f.Sync, err = trySync(f.Tried)
	}
	var unsafe *filecheck.Error
	if errors.As(err, &unsafe) {
		f.Mend = unsafe.Mend
	}
	if err != nil {
		f.Error = err.Error()
	}
	return f
}

// trySync makes a file, syncs it and removes it, and returns how long the sync took.
func trySync(dir string) (took time.Duration, err error) {
	file, err := os.CreateTemp(dir, ".proctape-doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if _, err := file.Write(make([]byte, 4096)); err != nil {
		return 0, err
	}
	began := time.Now()
	err = file.Sync()
	return time.Since(began), err
}

// TryKey checks that a file with a key is ours alone.
func TryKey(path string) KeyFile {
	k := KeyFile{Path: path}
	_, err := filecheck.ReadSecret(path, 1<<20)
	var unsafe *filecheck.Error
	if errors.As(err, &unsafe) {
		k.Mend = unsafe.Mend
	}
	if err != nil {
		k.Error = err.Error()
	}
	return k
}
