package query

import "strconv"

// TopRow is a line of a top.
type TopRow struct {
	Key     string   `json:"key"`         // what the line is about: a command, a number of a user, a job; empty when it is not known
	Host    string   `json:"host"`        // empty when it is of several
	Process *Process `json:"process"`     // of a line about one process
	CPU     float64  `json:"cpu_percent"` // of one core, mean over the range
	Usage
	hostID int64
}

func (r *TopRow) pid() int64 {
	if r.Process == nil {
		return 0
	}
	return r.Process.PID
}

// metric is the figure by which a row is sorted; below all others when it is unknown.
func (r *TopRow) metric(name string) float64 {
	switch name {
	case "mem":
		return r.Memory
	case "io":
		return deref(r.Read, -1) + deref(r.Write, -1)
	case "net":
		return deref(r.Sent, -1) + deref(r.Received, -1)
	case "forks":
		return float64(r.Forks)
	case "growth":
		return r.Growth
	case "faults":
		return float64(deref(r.MajorFaults, -1)) + float64(deref(r.MinorFaults, -1))/1e12
	}
	return r.CPUSeconds
}

// grouping gathers usage into rows.
type grouping struct {
	by       string
	filter   *Filter
	rows     map[rowKey]*TopRow
	seen     map[life]*seenLife
	commands map[[2]int64]string // by host and pid, for lines about parents
}

// name notes what a process is called, for lines about parents.
func (g *grouping) name(host, pid int64, command string) {
	if g.by == "parent" {
		g.commands[[2]int64{host, pid}] = command
	}
}

// life is a process of a host.
type life struct {
	hostID     int64
	boot       string
	pid, start int64
}

// seenLife is what the samples of a process say, for its exit to be added to.
type seenLife struct {
	row    *TopRow
	last   counters
	memory float64  // that the row has of it
	before *Process // of a process that has no sample in the range but the one before it
}

// rowKey is what a row is about.
type rowKey struct {
	of        life // of a process
	host, key string
}

// row is the row that usage of a process belongs to.
func (g *grouping) row(host string, of life, p *Process, parent int64) *TopRow {
	key, of1 := "", host
	var one *Process
	switch g.by {
	case "process":
		one = p
	case "command":
		key, of1 = Program(p.Command), ""
	case "user":
		if p.UID != nil {
			key = strconv.FormatInt(*p.UID, 10)
		}
		of1 = ""
	case "job": // of its host, or of the fleet
		key = deref(p.JobID, "")
		if p.Fleet || key == "" {
			of1 = ""
		}
	case "cgroup":
		key, of1 = deref(p.Cgroup, ""), ""
	case "parent":
		key = strconv.FormatInt(parent, 10)
		one = &Process{PID: parent}
	case "host":
		key = host
	}
	id := rowKey{host: of1, key: key}
	if g.by == "process" {
		id = rowKey{of: of}
	}
	r := g.rows[id]
	if r == nil {
		r = &TopRow{Host: of1, hostID: of.hostID}
		g.rows[id] = r
	}
	r.Key, r.Process = key, one // of a process as it was last
	if g.by == "process" {
		r.Key = p.Command
	}
	return r
}
