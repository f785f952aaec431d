package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// legacyControllers are those of which figures are read.
var legacyControllers = []string{"cpuacct", "memory", "blkio"}

// ownGroup finds our own control group of version 2: the directory by which it can be reached, and its path in the
// hierarchy. On hosts where version 1 rules, version 2 is mounted beside it, often as "unified".
func ownGroup() (dir, group string, err error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", "", err
	}
	group, ok := parseGroup(string(own))
	if !ok {
		return "", "", errors.New("no version 2 control group in /proc/self/cgroup")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	for _, m := range parseMounts(string(mounts), "cgroup2", "") {
		if dir, ok := m.find(group); ok {
			return dir, group, nil
		}
	}
	return "", "", errors.New("no version 2 control group hierarchy is mounted here")
}

// parseGroup finds the version 2 path in a /proc/PID/cgroup file: "0::/user.slice".
func parseGroup(file string) (group string, ok bool) {
	for line := range strings.Lines(file) {
		if group, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return group, true
		}
	}
	return "", false
}

// groupMount is a mount of a hierarchy, or of the part of it below root.
type groupMount struct{ root, point string }

// find returns the directory of a group, if the mount shows it.
func (m groupMount) find(group string) (dir string, ok bool) {
	rest, ok := strings.CutPrefix(group+"/", strings.TrimSuffix(m.root, "/")+"/")
	if !ok || strings.HasPrefix(rest, "../") {
		return "", false // ".." leads to a group above the root of our namespace
	}
	return filepath.Join(m.point, rest), true
}

// parseMounts finds the mounts of control groups in a mountinfo file, man proc_pid_mountinfo(5): of version 2, whose file system is cgroup2,
// or of a controller of version 1, whose file system is cgroup.
func parseMounts(file, fsType, controller string) []groupMount {
	var mounts []groupMount
	for line := range strings.Lines(file) {
		mount, kind, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		const root, point = 3, 4
		rest := strings.Fields(kind)
		if len(rest) == 3 && rest[0] == fsType && len(fields) > point && (controller == "" || slices.Contains(strings.Split(rest[2], ","), controller)) {
			mounts = append(mounts, groupMount{unescape.Replace(fields[root]), unescape.Replace(fields[point])})
		}
	}
	return mounts
}

// unescape undoes what the kernel does to the names in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// leafPrefix begins the names of groups that are made for commands.
const leafPrefix = "proctape-"

// leafName is the name of a group's directory. The prefix keeps it apart from the kernel's own files, our pid from the
// group of another run of the same job.
func leafName(name string, pid int) string {
	const longest = 128 // far below NAME_MAX
	safe := func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_.-", r):
			return r
		}
		return '_'
	}
	name = strings.Map(safe, name)
	return fmt.Sprintf(leafPrefix+"%s-%d", name[:min(len(name), longest)], pid)
}
