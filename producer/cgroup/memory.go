package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory reads how much memory the control groups of this process may have, and have: of the group that the process is in and of those above it. It holds no file open.
type Memory struct{ groups []memoryGroup }

// memoryGroup is where a group's memory is told.
type memoryGroup struct {
	limit, used, stat string // files
	cache             string // the line of stat with the pages of files that can be dropped
}

// Open finds the groups of this process. Where there are none, [Memory.Read] knows nothing.
func Open(root string) *Memory {
	m := &Memory{}
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return m
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return m
	}
	for _, f := range limitFiles(string(own), string(mounts)) {
		dir, name := filepath.Split(filepath.Join(root, f))
		switch name {
		case "memory.max":
			m.groups = append(m.groups, memoryGroup{dir + name, dir + "memory.current", dir + "memory.stat", "inactive_file "})
		case "memory.limit_in_bytes":
			m.groups = append(m.groups, memoryGroup{dir + name, dir + "memory.usage_in_bytes", dir + "memory.stat", "total_inactive_file "})
		}
	}
	return m
}

// Read returns the limit of the group that is nearest to its own, and what it has but for files in memory that can be dropped, in KiB. ok is false where no
// group has a limit, or nobody may read what it has.
func (m *Memory) Read() (limit, used int64, ok bool) {
	nearest := 0.0
	for i := range m.groups {
		g := &m.groups[i]
		most, limited := readLimit(g.limit)
		if !limited {
			continue
		}
		has, known := g.read()
		if share := float64(has) / float64(most); known && (!ok || share > nearest) {
			limit, used, nearest, ok = most/1024, has/1024, share, true
		}
	}
	return limit, used, ok
}

// read is what a group has, in bytes.
func (g *memoryGroup) read() (bytes int64, known bool) {
	b, err := os.ReadFile(g.used)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	stat, err := os.ReadFile(g.stat)
	if err != nil {
		return n, true
	}
	for line := range strings.Lines(string(stat)) {
		if v, is := strings.CutPrefix(line, g.cache); is {
			cached, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			if err == nil && cached > 0 && cached <= n {
				return n - cached, true
			}
		}
	}
	return n, true
}
