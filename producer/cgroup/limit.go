// Package cgroup reads what control groups, of version 1 and version 2, let a process have of memory. All files are below a root, which is / but in tests.
package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Limit is the least memory limit of the control groups that a process is in, and of the groups above them.
type Limit struct {
	Bytes int64
	File  string // that says so
}

// FindLimit reads the limits of this process's control groups, as far as root shows them; ok is false when none has one.
func FindLimit(root string) (least Limit, ok bool) {
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return Limit{}, false
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return Limit{}, false
	}
	for _, f := range limitFiles(string(own), string(mounts)) {
		n, limited := readLimit(filepath.Join(root, f))
		if limited && (!ok || n < least.Bytes) {
			least, ok = Limit{n, f}, true
		}
	}
	return least, ok
}

// noLimit is from where a limit of version 1 is none: the kernel rounds the largest number down to pages.
const noLimit = 1 << 60

// readLimit reads a file of one number, or of the word max.
func readLimit(file string) (bytes int64, limited bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil && n > 0 && n < noLimit
}

// limitFiles are the files that may hold a limit: those of the group of the process and of the groups above it, up to what is
// mounted. own is /proc/self/cgroup and mounts /proc/self/mountinfo, man cgroups(7) and proc_pid_mountinfo(5).
func limitFiles(own, mounts string) (files []string) {
	for _, m := range groupMounts(mounts) {
		for line := range strings.Lines(own) {
			fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(fields) != 3 {
				continue
			}
			names := []string{"memory.limit_in_bytes"}
			switch {
			case m.unified && fields[0] == "0" && fields[1] == "":
				names = []string{"memory.max", "memory.high"}
			case m.unified || !slices.Contains(strings.Split(fields[1], ","), "memory"):
				continue
			}
			for _, dir := range m.up(fields[2]) {
				for _, name := range names {
					files = append(files, filepath.Join(dir, name))
				}
			}
		}
	}
	return files
}

// groupMount is where a hierarchy of control groups that limits memory is mounted.
type groupMount struct {
	root, point string // the group that is seen at point
	unified     bool   // version 2
}

// groupMounts finds them in mountinfo.
func groupMounts(mounts string) (found []groupMount) {
	for line := range strings.Lines(mounts) {
		left, right, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(left), strings.Fields(right)
		if !ok || len(where) < 5 || len(what) < 1 {
			continue
		}
		m := groupMount{root: unescapeMount(where[3]), point: unescapeMount(where[4]), unified: what[0] == "cgroup2"}
		if m.unified || what[0] == "cgroup" && len(what) >= 3 && slices.Contains(strings.Split(what[2], ","), "memory") {
			found = append(found, m)
		}
	}
	return found
}

// unescapeMount undoes how mountinfo writes blanks and backslashes.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// up are the folders of a group and of those above it, the group's first. A group that lies outside of what is mounted, as in a
// container that sees only its own, is the mounted one.
func (m groupMount) up(group string) (dirs []string) {
	rel, err := filepath.Rel(m.root, group)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		rel = "."
	}
	for dir := filepath.Join(m.point, rel); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == m.point || len(dir) < len(m.point) {
			return dirs
		}
	}
}
