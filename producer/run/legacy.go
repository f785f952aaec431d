package run

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// legacy are control groups of version 1 that are made for one command, by controller. Version 1 cannot start a process in a group, so this program
// goes into them, starts the command, and leaves. Source: Documentation/admin-guide/cgroup-v1 of Linux.
type legacy struct {
	leaves map[string]string // directories
	own    map[string]string // those of the groups in which this program is
}

// makeLegacy makes groups below our own, as far as there are such controllers and we may. root is / but in tests.
func makeLegacy(root, name string) *legacy {
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	l := &legacy{map[string]string{}, map[string]string{}}
	for _, controller := range legacyControllers {
		dir, ok := legacyGroup(string(own), string(mounts), controller)
		if !ok {
			continue
		}
		dir = filepath.Join(root, dir)
		leaf := filepath.Join(dir, leafName(name, os.Getpid()))
		removeLeftBeside(dir)
		if os.Mkdir(leaf, 0o755) == nil || isDir(leaf) && l.has(leaf) { // cpu and cpuacct may be one hierarchy
			l.leaves[controller], l.own[controller] = leaf, dir
		}
	}
	if len(l.leaves) == 0 {
		return nil
	}
	return l
}

func (l *legacy) has(leaf string) bool {
	for _, dir := range l.leaves {
		if dir == leaf {
			return true
		}
	}
	return false
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// legacyGroup is the directory of the group of version 1 in which a process is, by its cgroup file and by mountinfo.
func legacyGroup(own, mounts, controller string) (dir string, ok bool) {
	for line := range strings.Lines(own) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 || !slices.Contains(strings.Split(fields[1], ","), controller) {
			continue
		}
		for _, m := range parseMounts(mounts, "cgroup", controller) {
			if dir, ok := m.find(fields[2]); ok {
				return dir, true
			}
		}
	}
	return "", false
}

// enter moves this program into the groups. Those that it may not enter are given up.
func (l *legacy) enter() {
	if l == nil {
		return
	}
	for controller, dir := range l.leaves {
		if moveTo(dir) != nil {
			_ = os.Remove(dir)
			delete(l.leaves, controller)
		}
	}
}

// leave moves this program back.
func (l *legacy) leave() error {
	if l == nil {
		return nil
	}
	var failed []error
	for controller := range l.leaves {
		failed = append(failed, moveTo(l.own[controller]))
	}
	return errors.Join(failed...)
}

// moveTo moves this process into a group.
func moveTo(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// add takes the figures of the groups over into those of which nothing is known yet.
func (l *legacy) add(to *groupUsage) {
	if l == nil {
		return
	}
	if dir, ok := l.leaves["cpuacct"]; ok && !to.cpu.Known {
		to.cpu = parseLegacyCPU(readFile(dir, "cpuacct.usage"), readFile(dir, "cpuacct.usage_user"), readFile(dir, "cpuacct.usage_sys"))
	}
	if dir, ok := l.leaves["memory"]; ok && !to.peakKiB.Known {
		to.peakKiB = parseKiB(readFile(dir, "memory.max_usage_in_bytes"))
	}
	if dir, ok := l.leaves["blkio"]; ok && !to.io.Known {
		to.io = parseLegacyIO(readFile(dir, "blkio.throttle.io_service_bytes_recursive"))
		if !to.io.Known {
			to.io = parseLegacyIO(readFile(dir, "blkio.throttle.io_service_bytes"))
		}
	}
}

// remove removes the groups that are empty.
func (l *legacy) remove() {
	if l == nil {
		return
	}
	for _, dir := range l.leaves {
		_ = unix.Rmdir(dir) // what holds a process is removed by the recorder or a later run
	}
}
