package web

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proctape/proctape/query"
)

// maxNames is how many groups of processes are told at most, over all hosts. A group has at most 25 metrics.
const maxNames = 200

func group(kind prometheus.ValueType, name, help string, labels ...string) family {
	return family{"namedprocess_namegroup_" + name, prometheus.NewDesc("namedprocess_namegroup_"+name, help, append([]string{"groupname", "host"}, labels...), nil), kind}
}

// The metrics of processes by the names of their programs, as process-exporter calls them, so that its dashboards show them. Samples do not tell user from system time:
// the mode of CPU time is total.
var (
	groupProcs    = group(prometheus.GaugeValue, "num_procs", "Processes of the group.")
	groupThreads  = group(prometheus.GaugeValue, "num_threads", "Threads of the group.")
	groupCPU      = group(prometheus.CounterValue, "cpu_seconds_total", "CPU time that processes of the group used since this server looked first.", "mode")
	groupMemory   = group(prometheus.GaugeValue, "memory_bytes", "Memory of the group.", "memtype")
	groupFiles    = group(prometheus.GaugeValue, "open_filedesc", "Open file descriptors of the group.")
	groupRatio    = group(prometheus.GaugeValue, "worst_fd_ratio", "Open file descriptors of a process of the group as a share of how many it may have, where that is the most.")
	groupRead     = group(prometheus.CounterValue, "read_bytes_total", "Bytes that processes of the group read from storage since this server looked first.")
	groupWritten  = group(prometheus.CounterValue, "write_bytes_total", "Bytes that processes of the group wrote to storage since this server looked first.")
	groupMajor    = group(prometheus.CounterValue, "major_page_faults_total", "Page faults of the group with a read from disk since this server looked first.")
	groupMinor    = group(prometheus.CounterValue, "minor_page_faults_total", "Page faults of the group without a read from disk since this server looked first.")
	groupSwitches = group(prometheus.CounterValue, "context_switches_total", "Context switches of the first threads of the group since this server looked first.", "ctxswitchtype")
	groupOldest   = group(prometheus.GaugeValue, "oldest_start_time_seconds", "When the oldest process of the group started.")
	groupStates   = group(prometheus.GaugeValue, "states", "Processes of the group by their state.", "state")
	namesLeftOut  = gauge("process_names_left_out", "Groups of processes that are not told, because there are more than the limit.")
)

var groupFamilies = []family{groupProcs, groupThreads, groupCPU, groupMemory, groupFiles, groupRatio, groupRead, groupWritten, groupMajor, groupMinor, groupSwitches, groupOldest, groupStates, namesLeftOut}

// groupKey is a group of processes: those of a program on a host.
type groupKey struct{ name, host string }

// counted names what rises in a group.
type counted struct {
	family *family
	label  string
}

// names keeps what processes with names have used since the server looked first. What a process used whose whole life lies between two scrapes is not
// seen, as process-exporter does not see it.
type names struct {
	patterns []string // of path.Match, that names of programs match

	mu     sync.Mutex
	looked bool
	last   map[lifeKey]map[counted]float64
	totals map[groupKey]map[counted]float64
}

// lifeKey is one process.
type lifeKey struct {
	group      groupKey
	pid, start int64 // a pid comes again with the same start after a boot; then its counters have fallen
}

// matches reports whether a program is one of those that are asked for.
func (n *names) matches(program string) bool {
	return slices.ContainsFunc(n.patterns, func(p string) bool { ok, _ := path.Match(p, program); return ok }) // patterns were tried at the start
}

// setNames sets what is known of the groups on hosts.
func (n *names) setNames(hosts []query.HostAt, set setter) {
	if len(n.patterns) == 0 {
		return
	}
	groups := map[groupKey][]*query.Process{}
	at := map[string]float64{}
	for i := range hosts {
		h := &hosts[i]
		at[h.Host] = h.Timestamp
		for p := range h.Processes {
			process := &h.Processes[p]
			if name := query.Program(process.Command); n.matches(name) {
				key := groupKey{name, h.Host}
				groups[key] = append(groups[key], process)
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for key := range n.totals { // of which there may be none now
		groups[key] = append([]*query.Process(nil), groups[key]...)
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b groupKey) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.host, b.host))
	})
	keys, left := n.told(keys)
	set(namesLeftOut, float64(left))
	n.count(keys, groups)
	for _, key := range keys {
		setGroup(key, groups[key], at[key.host], set)
		for c, v := range n.totals[key] {
			if c.label == "" {
				set(*c.family, v, key.name, key.host)
			} else {
				set(*c.family, v, key.name, key.host, c.label)
			}
		}
	}
}

// told leaves as many groups as are told: those that were told before first, so that a series goes on.
func (n *names) told(keys []groupKey) (told []groupKey, left int) {
	if len(keys) <= maxNames {
		return keys, 0
	}
	slices.SortStableFunc(keys, func(a, b groupKey) int {
		_, before := n.totals[a]
		_, other := n.totals[b]
		switch {
		case before == other:
			return 0
		case before:
			return -1
		}
		return 1
	})
	return keys[:maxNames], len(keys) - maxNames
}

// count adds what processes used since they were looked at last. Of one that is new all counts, but at the first look, when the
// counters begin.
func (n *names) count(keys []groupKey, groups map[groupKey][]*query.Process) {
	now := map[lifeKey]map[counted]float64{}
	totals := map[groupKey]map[counted]float64{}
	for _, key := range keys {
		total := n.totals[key]
		if total == nil {
			total = map[counted]float64{}
		}
		totals[key] = total
		for _, p := range groups[key] {
			id := lifeKey{key, p.PID, p.StartTicks}
			used := usedBy(p)
			before, known := n.last[id]
			for c, v := range used {
				if !known && !n.looked {
					v = before[c] // 0: the counters begin here
				}
				total[c] += max(0, v-before[c])
			}
			now[id] = used
		}
	}
	n.last, n.totals, n.looked = now, totals, true
}

// usedBy is what a process has used since its start.
func usedBy(p *query.Process) map[counted]float64 {
	used := map[counted]float64{{&groupCPU, "total"}: p.CPUSeconds}
	for c, v := range map[counted]*float64{{&groupRead, ""}: p.Read, {&groupWritten, ""}: p.Write} {
		if v != nil {
			used[c] = *v * mib
		}
	}
	for c, v := range map[counted]*int64{{&groupMajor, ""}: p.MajorFaults, {&groupMinor, ""}: p.MinorFaults,
		{&groupSwitches, "voluntary"}: p.VoluntarySwitches, {&groupSwitches, "nonvoluntary"}: p.InvoluntarySwitches} {
		if v != nil {
			used[c] = float64(*v)
		}
	}
	return used
}

// stateNames are the states as process-exporter calls them.
var stateNames = map[string]string{"R": "Running", "S": "Sleeping", "D": "Waiting", "Z": "Zombie"}

// setGroup sets what a group has now.
func setGroup(key groupKey, processes []*query.Process, at float64, set setter) {
	states := map[string]float64{"Running": 0, "Sleeping": 0, "Waiting": 0, "Zombie": 0, "Other": 0}
	memory := map[string]float64{}
	var threads, files, knownFiles float64
	ratio := -1.0 // of a process whose limit is known
	oldest := at
	for _, p := range processes {
		state := stateNames[p.State]
		if state == "" {
			state = "Other"
		}
		states[state]++
		threads += float64(p.Threads)
		if !slices.Contains(p.Unknown, "open_fds") {
			files, knownFiles = files+float64(p.OpenFDs), knownFiles+1
			if p.FDLimit != nil && *p.FDLimit > 0 {
				ratio = max(ratio, float64(p.OpenFDs)/float64(*p.FDLimit))
			}
		}
		for kind, of := range map[string]struct {
			key string
			v   *float64
		}{"resident": {"rss_mb", &p.RSS}, "virtual": {"vms_mb", &p.VMS}, "swapped": {"", p.Swap}} {
			if of.v != nil && (of.key == "" || !slices.Contains(p.Unknown, of.key)) {
				memory[kind] += *of.v * mib
			}
		}
		oldest = min(oldest, at-p.Age)
	}
	set(groupProcs, float64(len(processes)), key.name, key.host)
	set(groupThreads, threads, key.name, key.host)
	if len(processes) > 0 {
		set(groupOldest, oldest, key.name, key.host)
	}
	if knownFiles > 0 {
		set(groupFiles, files, key.name, key.host)
	}
	if ratio >= 0 {
		set(groupRatio, ratio, key.name, key.host)
	}
	for kind, bytes := range memory {
		set(groupMemory, bytes, key.name, key.host, kind)
	}
	for state, n := range states {
		set(groupStates, n, key.name, key.host, state)
	}
}
