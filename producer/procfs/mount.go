package procfs

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxKeptDescriptors = 8192                   // descriptors of processes' files kept open between scans, at most
	slowTimeout        = 200 * time.Millisecond // how long a scan waits for one process's cmdline and environ
	listBufferSize     = 256 << 10              // one getdents call: about 8000 processes
)

// mount is the mounted file system, and what is used again by every read of it.
type mount struct {
	root    string // path of the mount
	rootFD  int    // descriptor of root, -1 until first use
	fdSizes bool   // the size of PID/fd is the count of open descriptors (Linux 6.2)
	counts  bool   // PID/schedstat counts how often a thread ran
	pageKiB uint64 // size of a memory page

	pids   []listedPID // of the last listing
	list   []byte      // a listing as the kernel gives it
	buffer []byte      // what was read of a file
}

// open opens the root directory unless it is open, and finds out what this kernel can do.
func (fs *mount) open() error {
	if fs.rootFD >= 0 {
		return nil
	}
	fd, err := openWaiting(unix.AT_FDCWD, fs.root, unix.O_DIRECTORY)
	if err != nil {
		return readError(fs.root, err)
	}
	fs.rootFD = fd
	fs.fdSizes = sizesCountDescriptors(fd)
	fs.counts = countsRuns(fd, fs.buffer)
	return nil
}

// path returns the path of a file under root, for error messages.
func (fs *mount) path(elem ...string) string {
	return filepath.Join(append([]string{fs.root}, elem...)...)
}

// listPIDs returns the processes in the listing of root, sorted by pid. The result is valid until the next call.
func (fs *mount) listPIDs() ([]listedPID, error) {
	if fs.list == nil {
		fs.list = make([]byte, listBufferSize)
	}
	fs.pids = fs.pids[:0]
	err := readDir(fs.rootFD, fs.list, func(inode uint64, name []byte) {
		if pid, ok := parsePID(name); ok {
			fs.pids = append(fs.pids, listedPID{pid, inode})
		}
	})
	if err != nil { // as of a folder that was unmounted or removed: another may be in its place by the next time
		unix.Close(fs.rootFD)
		fs.rootFD = -1
		return nil, readError(fs.root, err)
	}
	// The kernel lists processes in order already; an ordinary directory does not. One may come twice when it is listed
	// in several pieces.
	byPID := func(a, b listedPID) int { return cmp.Compare(a.pid, b.pid) }
	if !slices.IsSortedFunc(fs.pids, byPID) {
		slices.SortFunc(fs.pids, byPID)
	}
	fs.pids = slices.CompactFunc(fs.pids, func(a, b listedPID) bool { return a.pid == b.pid })
	return fs.pids, nil
}

// countsRuns reports whether schedstat counts: a kernel may lack it, or give zeros. This process has run.
func countsRuns(root int, buf []byte) bool {
	data, err := readSmall(root, "self/schedstat", buf)
	if err != nil {
		return false
	}
	r, err := parseSchedstat(data)
	return err == nil && r.count > 0
}

// sizesCountDescriptors reports whether stat of PID/fd gives the number of open descriptors as its size. A real proc
// file system says so for our own process, which has descriptors open; an ordinary directory tree never counts.
// Source: Linux fs/proc/fd.c, proc_fd_getattr.
func sizesCountDescriptors(root int) bool {
	var mount unix.Statfs_t
	if err := unix.Fstatfs(root, &mount); err != nil || mount.Type != unix.PROC_SUPER_MAGIC {
		return false
	}
	var st unix.Stat_t
	err := unix.Fstatat(root, "self/fd", &st, 0)
	return err == nil && st.Size > 0
}

// keepLimit returns how many descriptors may be kept: never more than half of what this process may open.
func keepLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur/2, maxKeptDescriptors))
}
