// Package procfs reads the process table and the host's load from a mounted /proc and returns them as plain values.
//
// Reading and parsing are separate: methods of FS do the I/O, and unexported parse functions turn bytes into values.
// An FS keeps state between scans (open descriptors, what it already knows of each process), so that a process
// that sleeps costs one read per scan.
package procfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone says that a process ended before it could be read. That is a result, not a failure: processes end at any time.
var ErrGone = errors.New("process is gone")

const (
	maxKeptDescriptors = 8192                   // descriptors of processes' files kept open between scans, at most
	slowTimeout        = 200 * time.Millisecond // how long a scan waits for one process's cmdline and environ
	statBufferSize     = 4096                   // one stat, statm, io or small host file
	listBufferSize     = 256 << 10              // one getdents call: about 8000 processes
)

// FS reads one mounted proc file system. One goroutine at a time may use it.
type FS struct {
	root    string // path of the mount
	rootFD  int    // descriptor of root, -1 until first use
	fdSizes bool   // the size of PID/fd is the count of open descriptors (Linux 6.2)
	counts  bool   // PID/schedstat counts how often a thread ran
	pageKiB uint64 // size of a memory page

	host map[string]int // kept descriptors of host files, by path under root

	entries map[int]*entry // what is known of each process, by pid
	scan    uint64         // number of the current scan
	clock   clock          // set by the current scan
	kept    int            // descriptors now kept for entries
	keepMax int            // descriptors that may be

	sleepAge time.Duration // sleepAge, but in tests

	slow *slowReader

	pids   []listedPID // reused by every listing
	list   []byte      // reused by every listing
	buffer []byte      // reused by every read of a file
}

// New returns an FS for the proc file system mounted at root, or at /proc when root is empty. It opens nothing yet.
// The caller closes it.
func New(root string) *FS {
	if root == "" {
		root = "/proc"
	}
	return &FS{
		root:     filepath.Clean(root),
		rootFD:   -1,
		pageKiB:  uint64(os.Getpagesize() / 1024),
		host:     make(map[string]int),
		entries:  make(map[int]*entry),
		keepMax:  keepLimit(),
		sleepAge: sleepAge,
		slow:     &slowReader{timeout: slowTimeout},
		buffer:   make([]byte, statBufferSize),
	}
}

// Close closes every kept descriptor and forgets all processes. It does not wait for a read of cmdline or environ that
// is stuck in the kernel; such a read closes its own descriptors when it returns. A closed FS may be used again.
func (fs *FS) Close() error {
	for pid, e := range fs.entries {
		fs.release(e)
		delete(fs.entries, pid)
	}
	var errs []error
	for name, fd := range fs.host {
		errs = append(errs, unix.Close(fd))
		delete(fs.host, name)
	}
	if fs.rootFD >= 0 {
		errs = append(errs, unix.Close(fs.rootFD))
		fs.rootFD = -1
	}
	return errors.Join(errs...)
}

// BootID returns the random identifier the kernel chose at boot, a UUID in text form. Together with a pid and its start
// time it names one process for ever. Source: /proc/sys/kernel/random/boot_id, man random(4).
func (fs *FS) BootID() (string, error) {
	path := filepath.Join(fs.root, "sys/kernel/random/boot_id")
	data, err := os.ReadFile(path)
	if err != nil {
		return "", readError(path, err)
	}
	id := strings.TrimSpace(string(data))
	if id == "" {
		return "", readError(path, errors.New("empty file"))
	}
	return id, nil
}

// open opens the root directory unless it is open, and finds out what this kernel can do.
func (fs *FS) open() error {
	if fs.rootFD >= 0 {
		return nil
	}
	fd, err := openAt(unix.AT_FDCWD, fs.root, unix.O_DIRECTORY)
	if err != nil {
		return readError(fs.root, err)
	}
	fs.rootFD = fd
	fs.fdSizes = sizesCountDescriptors(fd)
	fs.counts = countsRuns(fd, fs.buffer)
	return nil
}

// path returns the path of a file under root, for error messages.
func (fs *FS) path(elem ...string) string {
	return filepath.Join(append([]string{fs.root}, elem...)...)
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

// readError adds what was read to the cause of a failure.
func readError(path string, err error) error {
	return fmt.Errorf("read %s: %w", path, err)
}
