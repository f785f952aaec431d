package run

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sweepEvery is how often a recorder looks for groups that were left.
	sweepEvery = 20 * time.Second
	// leafYouth is how long a group is left alone: a run that has made its group puts the command into it at once.
	leafYouth = 20 * time.Second
)

// RemoveLeftGroups removes, again and again until ctx ends, the control groups in which a run of this machine ran a command,
// and in which there is no process any more: of a run whose daemons have ended, and of one that was killed. It
// returns nil. Groups that this user may not remove stay.
func RemoveLeftGroups(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		for _, root := range groupRoots() {
			removeLeftBelow(ctx, root, leafYouth)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// removeLeftBelow removes the groups that were left below root and are older than youth. Whatever cannot be read stays.
func removeLeftBelow(ctx context.Context, root string, youth time.Duration) {
	_ = filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return fs.SkipAll
		case err != nil && d != nil && d.IsDir():
			return fs.SkipDir
		case err != nil || !d.IsDir():
			return nil
		}
		if removeIfLeft(dir, youth) {
			return fs.SkipDir
		}
		return nil
	})
}

// removeLeftBeside removes the groups that were left in dir by earlier runs.
func removeLeftBeside(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeIfLeft(filepath.Join(dir, e.Name()), leafYouth)
		}
	}
}

// removeIfLeft removes a group that a run has left, and reports whether it did. The kernel removes none with a process in it
// or a group below it.
func removeIfLeft(dir string, youth time.Duration) bool {
	pid, ok := leafPID(filepath.Base(dir))
	if !ok || runs(pid) {
		return false
	}
	info, err := os.Stat(dir)
	if err != nil || time.Since(info.ModTime()).Abs() < youth {
		return false
	}
	return unix.Rmdir(dir) == nil
}

// mostPID is the largest pid that there is, PID_MAX_LIMIT of Linux include/linux/threads.h: a group with a larger number is another's.
const mostPID = 4 << 20

// leafPID is the pid of the run that made a group, by what [leafName] named it.
func leafPID(name string) (pid int, ok bool) {
	if !strings.HasPrefix(name, leafPrefix) {
		return 0, false
	}
	pid, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
	return pid, err == nil && pid > 0 && pid <= mostPID
}

// runs says whether a process other than a kernel thread has a pid: a run that lives removes its group itself, when it has read
// what the group used.
func runs(pid int) bool {
	_, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

// groupRoots are where control groups that a run may make are mounted: those of version 2, and the controllers of version 1 of
// which figures are read.
func groupRoots() (dirs []string) {
	file, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	mounts := parseMounts(string(file), "cgroup2", "")
	for _, controller := range legacyControllers {
		mounts = append(mounts, parseMounts(string(file), "cgroup", controller)...)
	}
	for _, m := range mounts {
		if !slices.Contains(dirs, m.point) {
			dirs = append(dirs, m.point)
		}
	}
	return dirs
}
