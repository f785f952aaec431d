package oom

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxGroups is how many cgroups are tracked.
const maxGroups = 1024

// verdict says whether a cgroup's counter explains a death in it.
type verdict int

const (
	unknown verdict = iota
	yes
	no
)

// groups are the counters of cgroups. The zero value knows no cgroup.
type groups struct {
	mount   string
	files   []string // names of the file with the counter, the best first
	unified bool     // version 2: a process has one cgroup, so that its counter is the right one
	tracked map[string]*group
}

type group struct {
	counter
	named int64 // boot time when it was last tracked or asked for
}

// openGroups finds the hierarchy with the memory controller. Sources: Linux Documentation/admin-guide/cgroup-v2.rst,
// memory.events; cgroup-v1/memory.rst, memory.oom_control.
func openGroups(root string) (groups, error) {
	for _, mount := range []string{root, filepath.Join(root, "unified")} {
		controllers, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
		if err == nil && slices.Contains(strings.Fields(string(controllers)), "memory") {
			return groups{mount, []string{"memory.events.local", "memory.events"}, true, map[string]*group{}}, nil
		}
	}
	mount := filepath.Join(root, "memory")
	if _, err := os.Stat(filepath.Join(mount, "memory.oom_control")); err == nil {
		return groups{mount, []string{"memory.oom_control"}, false, map[string]*group{}}, nil
	}
	return groups{}, fmt.Errorf("no memory controller below %s", root)
}

// read reads the counter of a cgroup.
func (g *groups) read(cgroup string) (uint64, error) {
	path := strings.TrimPrefix(cgroup, "/")
	if path == "" {
		path = "."
	}
	if !filepath.IsLocal(path) {
		return 0, fmt.Errorf("cgroup %.80q is outside of what is mounted here", cgroup)
	}
	for _, name := range g.files {
		data, err := os.ReadFile(filepath.Join(g.mount, path, name))
		if err != nil {
			continue
		}
		if n, ok := field(data, "oom_kill"); ok {
			return n, nil
		}
	}
	return 0, errors.New("no counter")
}

// track begins to watch a cgroup unless it is watched already. One that has no counter is not remembered.
func (g *groups) track(cgroup string, now int64) *group {
	if known := g.tracked[cgroup]; known != nil {
		known.named = now
		return known
	}
	n, err := g.read(cgroup)
	if err != nil {
		return nil
	}
	if len(g.tracked) >= maxGroups {
		g.dropOldest()
	}
	added := &group{named: now}
	added.update(n, now)
	g.tracked[cgroup] = added
	return added
}

func (g *groups) dropOldest() {
	oldest, at := "", int64(0)
	for cgroup, group := range g.tracked {
		if oldest == "" || group.named < at {
			oldest, at = cgroup, group.named
		}
	}
	delete(g.tracked, oldest)
}

// readAll reads the counter of each tracked cgroup.
func (g *groups) readAll(now int64) {
	for cgroup, group := range g.tracked {
		g.readGroup(cgroup, group, now)
	}
}

// readGroup reads the counter of one cgroup and reports whether it could. What is known of a cgroup that is gone stays:
// deaths in it may be judged later.
func (g *groups) readGroup(cgroup string, group *group, now int64) bool {
	n, err := g.read(cgroup)
	if err == nil {
		group.update(n, now)
	}
	return err == nil
}

// judge says whether the counter of its cgroup explains a death.
func (g *groups) judge(d Death, now int64) verdict {
	group := g.tracked[d.Cgroup]
	if group == nil {
		if d.Cgroup != "" {
			g.track(d.Cgroup, now)
		}
		return unknown
	}
	group.named = now
	current := g.readGroup(d.Cgroup, group, now)
	switch {
	case group.claim(d.Boot, maxDying):
		return yes
	case g.unified && current && group.since < d.Boot:
		return no
	default:
		return unknown
	}
}
