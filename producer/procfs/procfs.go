// Package procfs reads the process table and the host's load from a mounted /proc and returns them as plain values.
//
// Reading and parsing are separate: methods of FS do the I/O, and unexported parse functions turn bytes into values.
// An FS keeps state between scans (open descriptors, what it already knows of each process), so that a process
// that sleeps costs one read per scan.
package procfs

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// FS reads one mounted proc file system. One goroutine at a time may use it.
type FS struct {
	updater
	host map[string]int // kept descriptors of host files, by path under root
}

// New returns an FS for the proc file system mounted at root, or at /proc when root is empty. It opens nothing yet.
// The caller closes it.
func New(root string) *FS {
	if root == "" {
		root = "/proc"
	}
	m := mount{root: filepath.Clean(root), rootFD: -1, pageKiB: uint64(os.Getpagesize() / 1024), buffer: make([]byte, statBufferSize)}
	return &FS{host: make(map[string]int), updater: updater{
		entries: make(entryTable), sleepAge: sleepAge,
		valueReader: valueReader{slow: &slowReader{timeout: slowTimeout}, keeper: keeper{mount: m, keepMax: keepLimit()}},
	}}
}

// OwnPID is the pid of this process as the proc mounted at root, or at /proc when root is empty, knows it, which is another one where that is of another pid namespace; 0 where it
// does not know it.
func OwnPID(root string) int {
	target, err := os.Readlink(filepath.Join(cmp.Or(root, "/proc"), "self"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(target) // another thing than a number is no pid
	return pid
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
