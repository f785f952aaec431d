package procfs

import (
	"bytes"
	"errors"
	"strings"
)

// parseCgroup parses /proc/PID/cgroup, man cgroups(7), and returns the path that says most of where the process belongs.
//
// Of one hierarchy, which hosts of today have, that is its only path. Where version 1 and 2 stand side by side, systemd's
// own (the unified, or its named one) says so for what systemd started. A container's, that a manager put into groups of the
// controllers, is the root there, or the unit that the manager runs in. So a root yields to any other path, and systemd's
// unit to a path of a controller that does not lead there.
func parseCgroup(data []byte) (string, error) {
	lines := parseCgroupLines(data)
	if len(lines) == 0 {
		return "", errors.New("no line of the form hierarchy:controllers:path")
	}
	best := lines[0]
	for _, line := range lines[1:] {
		if line.rank() > best.rank() {
			best = line
		}
	}
	if !best.ofSystemd() || !isUnit(best.path) {
		return best.path, nil
	}
	for _, line := range lines {
		if line.ofSystemd() || line.isRoot() || leadsTo(line.path, best.path) || !line.limits() {
			continue
		}
		return line.path, nil
	}
	return best.path, nil
}

// cgroupLine is a line of /proc/PID/cgroup.
type cgroupLine struct {
	unified     bool
	controllers string
	path        string
}

func parseCgroupLines(data []byte) (lines []cgroupLine) {
	for text := range bytes.Lines(data) {
		hierarchy, rest, _ := bytes.Cut(bytes.TrimSuffix(text, []byte{'\n'}), []byte{':'})
		controllers, path, ok := bytes.Cut(rest, []byte{':'})
		if !ok || len(path) == 0 {
			continue
		}
		lines = append(lines, cgroupLine{
			unified: string(hierarchy) == "0" && len(controllers) == 0, controllers: string(controllers),
			path: trimDeleted(string(path)),
		})
	}
	return lines
}

// rank says how much the path of a line says.
func (l cgroupLine) rank() int {
	switch {
	case l.isRoot():
		return 0
	case l.unified:
		return 4
	case l.ofSystemd():
		return 3
	case l.limits():
		return 2
	}
	return 1
}

func (l cgroupLine) isRoot() bool { return l.path == "/" }

// ofSystemd reports whether systemd keeps the hierarchy to know what belongs to a unit.
func (l cgroupLine) ofSystemd() bool { return l.unified || l.controllers == "name=systemd" }

// limits reports whether the hierarchy has a controller by which managers of containers and of batches limit what they run.
// Others, such as freezer, may hold groups of anybody.
func (l cgroupLine) limits() bool {
	for controller := range strings.SplitSeq(l.controllers, ",") {
		switch controller {
		case "memory", "cpu", "cpuacct", "pids", "devices", "blkio":
			return true
		}
	}
	return false
}

// isUnit reports whether a path names a unit of systemd.
func isUnit(path string) bool {
	return strings.HasSuffix(path, ".service") || strings.HasSuffix(path, ".scope") || strings.HasSuffix(path, ".slice")
}

// leadsTo reports whether the group at path holds, or is, the other: systemd makes no group of a controller below one that
// nobody limits.
func leadsTo(path, other string) bool { return other == path || strings.HasPrefix(other, path+"/") }

// trimDeleted cuts off what the kernel writes behind the path of a group that was removed while its last process ended.
func trimDeleted(path string) string {
	for {
		cut, ok := strings.CutSuffix(path, " (deleted)")
		if !ok || cut == "" {
			return path
		}
		path = cut
	}
}
