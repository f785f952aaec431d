package top

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/proctape/proctape/query"
)

// GroupBy are what processes can be put together by: columns, and none.
var GroupBy = []string{"", "user", "command", "job", "cgroup", "ppid"}

// grouped are a row for each group of rows, with the sums of what is known.
func grouped(m *Model, rows []*Row) []*Row {
	byName := map[string]*Row{}
	var out []*Row
	for _, r := range rows {
		name := groupName(m, r)
		g := byName[name]
		if g == nil {
			g = &Row{Host: r.Host, Process: new(query.Process), place: place{group: &group{name: name}}}
			g.Unknown = []string{"state", "vms_mb", "age_seconds"}
			g.UID, g.JobID, g.Cgroup = r.UID, r.JobID, r.Cgroup
			byName[name] = g
			out = append(out, g)
		}
		addToGroup(g, r)
	}
	for _, g := range out {
		of := g.place.group
		g.Command = fmt.Sprintf("%s  [%d]", of.name, of.processes)
		if of.ended > 0 {
			g.Command += fmt.Sprintf(" %d ended, %d failed", of.ended, of.failed)
		}
	}
	return out
}

// groupName is the name of a row's group.
func groupName(m *Model, r *Row) string {
	switch m.list.groupBy {
	case "command":
		return commandName(r.Command)
	case "job":
		if r.JobID == nil {
			return "(of no job)"
		}
		return *r.JobID
	case "ppid":
		return strconv.FormatInt(r.PPID, 10)
	}
	return columnNamed(m.list.groupBy).text(r, &m.names)
}

// addToGroup adds a process to its group. Memory that processes share counts for each.
func addToGroup(g, r *Row) {
	of := g.place.group
	g.Severity = worse(g.Severity, r.Severity)
	if r.End != nil {
		of.ended++
		of.failed += btoi(failed(r.End))
		return
	}
	of.processes++
	for _, key := range []string{"cpu_percent", "rss_mb", "threads", "open_fds", "cpu_seconds"} {
		if (r.Missing || slices.Contains(r.Unknown, key)) && !slices.Contains(g.Unknown, key) {
			g.Unknown = append(g.Unknown, key)
		}
	}
	g.CPUPercent += r.CPUPercent
	g.RSS += r.RSS
	g.Threads += r.Threads
	g.OpenFDs += r.OpenFDs
	g.CPUSeconds += r.CPUSeconds
	g.ReadRate, g.WriteRate = plus(g.ReadRate, r.ReadRate), plus(g.WriteRate, r.WriteRate)
	g.NetRate = plus(g.NetRate, r.NetRate)
	g.GPUMemory = plus(g.GPUMemory, r.GPUMemory)
}
