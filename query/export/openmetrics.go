package export

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// family is a family of metrics.
type family struct{ name, kind, unit, help string }

// The families, in the order in which they are written. A file holds a family in one piece, and in it each series.
const (
	hostCPU = iota
	hostMemory
	hostMemoryTotal
	hostLoad
	hostProcesses
	hostStarts
	hostEnds
	hostDeaths
	jobCPU
	jobMemory
	jobProcesses
	recorded
	familyCount
)

var families = [familyCount]family{
	hostCPU:         {"proctape_host_cpu_cores", "gauge", "cores", "CPU that the processes of a host used, of which it is known."},
	hostMemory:      {"proctape_host_memory_used_bytes", "gauge", "bytes", "Memory in use on a host."},
	hostMemoryTotal: {"proctape_host_memory_total_bytes", "gauge", "bytes", "Memory of a host."},
	hostLoad:        {"proctape_host_load1", "gauge", "", "Load average of a minute."},
	hostProcesses:   {"proctape_host_processes", "gauge", "", "Processes of a host."},
	hostStarts:      {"proctape_host_starts", "counter", "", "Processes that were seen to start, since the beginning of the range."},
	hostEnds:        {"proctape_host_ends", "counter", "", "Processes that were seen to end, since the beginning of the range."},
	hostDeaths:      {"proctape_host_deaths", "counter", "", "Of those that ended, by a signal."},
	jobCPU:          {"proctape_job_cpu_cores", "gauge", "cores", "CPU that the processes of a job used on a host, of which it is known."},
	jobMemory:       {"proctape_job_resident_memory_bytes", "gauge", "bytes", "Sum of the resident memory of the processes of a job on a host; pages that they share count for each."},
	jobProcesses:    {"proctape_job_processes", "gauge", "", "Processes of a job on a host."},
	recorded:        {"proctape_recorded_ratio", "gauge", "ratio", "Share of the range that is known, by kind of data."},
}

// OpenMetrics writes the text format of OpenMetrics 1.0, with times, for example to backfill Prometheus: what hosts used, and jobs on them, at each snapshot. Each
// series stands in one piece, so points lie in a spool until the end. Processes have no series: there are too many of them. What is not known has no point.
type OpenMetrics struct {
	w        io.Writer
	spool    spooler
	families [familyCount]map[string]*series
	ends     map[string]*endCounts // by host; none of one of which starts and ends are not known
	filtered bool                  // what hosts used in all is not asked for
}

// endCounts are how many processes started and ended on a host.
type endCounts struct{ starts, ends, deaths int64 }

// NewOpenMetrics makes a writer. What is written to the spool is of no use behind the end.
func NewOpenMetrics(w io.Writer, spool Spool) *OpenMetrics {
	o := &OpenMetrics{w: w, spool: spooler{file: spool}, ends: map[string]*endCounts{}}
	for i := range o.families {
		o.families[i] = map[string]*series{}
	}
	return o
}

// Begin takes how much is known of the range, which is told at its end.
func (o *OpenMetrics) Begin(h *Head) error {
	o.filtered = h.PicksProcesses()
	for i := range h.Coverage {
		c := &h.Coverage[i]
		if c.Events > 0 && slices.Contains(h.What, Events) {
			o.ends[c.Host] = new(endCounts)
		}
		for _, data := range []struct {
			name    string
			percent float64
		}{{"snapshots", c.Snapshots}, {"starts_and_ends", c.Events}, {"cpu", c.CPU}, {"io", c.IO}} {
			if err := o.add(recorded, labels("host", c.Host, "data", data.name), c.To, data.percent/100); err != nil {
				return err
			}
		}
	}
	return nil
}

// Gap writes nothing: recorded_ratio says what is missing.
func (o *OpenMetrics) Gap(*query.Gap) error { return nil }

// Run writes nothing: a run is no series.
func (o *OpenMetrics) Run(*query.Run) error { return nil }

// Exec writes nothing: the form has no place for it.
func (o *OpenMetrics) Exec(*query.Exec) error { return nil }

// Event counts a start or an end.
func (o *OpenMetrics) Event(e *query.Event) error {
	n := o.ends[e.Host]
	switch {
	case n == nil:
	case e.Type == "spawn":
		n.starts++
	case e.Type == "exit":
		n.ends++
		if e.Signal != nil {
			n.deaths++
		}
	}
	return nil
}

// use is what processes used together.
type use struct {
	cpu, memory           float64 // percent of a core, and bytes
	processes             int64
	knowsCPU, knowsMemory bool
}

func (u *use) add(p *query.Process) {
	u.processes++
	if p.Knows("cpu_percent") {
		u.cpu, u.knowsCPU = u.cpu+p.CPUPercent, true
	}
	if p.Knows("rss_mb") {
		u.memory, u.knowsMemory = u.memory+p.RSS*(1<<20), true
	}
}

// Snapshot adds points of what the host and its jobs use.
func (o *OpenMetrics) Snapshot(s *query.Snapshot) error {
	var all use
	jobs := map[string]*use{}
	for i := range s.Processes {
		p := &s.Processes[i]
		all.add(p)
		if p.JobID == nil {
			continue
		}
		if jobs[*p.JobID] == nil {
			jobs[*p.JobID] = new(use)
		}
		jobs[*p.JobID].add(p)
	}
	for _, job := range sortedKeys(jobs) {
		if err := o.addUse(s, labels("host", s.Host, "job", job), jobs[job], jobCPU, jobMemory, jobProcesses); err != nil {
			return err
		}
	}
	if o.filtered {
		return nil
	}
	return o.addHost(s, &all)
}

// addUse adds the points of what processes used, to the families of CPU, memory and number.
func (o *OpenMetrics) addUse(s *query.Snapshot, of string, u *use, cpu, memory, number int) error {
	if u.knowsCPU {
		if err := o.add(cpu, of, s.Timestamp, math.Round(u.cpu*10)/1000); err != nil {
			return err
		}
	}
	if u.knowsMemory && memory >= 0 {
		if err := o.add(memory, of, s.Timestamp, u.memory); err != nil {
			return err
		}
	}
	return o.add(number, of, s.Timestamp, float64(u.processes))
}

// addHost adds the points of a host.
func (o *OpenMetrics) addHost(s *query.Snapshot, all *use) error {
	of := labels("host", s.Host)
	if err := o.addUse(s, of, all, hostCPU, -1, hostProcesses); err != nil {
		return err
	}
	for _, v := range []struct {
		family int
		key    string
		value  float64
	}{{hostMemory, "system_memory_used_mb", s.MemUsed * (1 << 20)}, {hostMemoryTotal, "system_memory_total_mb", s.MemTotal * (1 << 20)}, {hostLoad, "load_avg_1", s.Load1}} {
		if slices.Contains(s.Unknown, v.key) {
			continue
		}
		if err := o.add(v.family, of, s.Timestamp, v.value); err != nil {
			return err
		}
	}
	n := o.ends[s.Host]
	if n == nil {
		return nil
	}
	for f, v := range map[int]int64{hostStarts: n.starts, hostEnds: n.ends, hostDeaths: n.deaths} {
		if err := o.add(f, of, s.Timestamp, float64(v)); err != nil {
			return err
		}
	}
	return nil
}

func (o *OpenMetrics) add(family int, labels string, at, value float64) error {
	of := o.families[family][labels]
	if of == nil {
		of = &series{labels: labels}
		o.families[family][labels] = of
	}
	return o.spool.add(of, at, value)
}

// End writes the families.
func (o *OpenMetrics) End() error {
	for i, f := range families {
		if len(o.families[i]) == 0 {
			continue
		}
		head := fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
		if f.unit != "" {
			head += fmt.Sprintf("# UNIT %s %s\n", f.name, f.unit)
		}
		if _, err := io.WriteString(o.w, head); err != nil {
			return err
		}
		name := f.name
		if f.kind == "counter" {
			name += "_total"
		}
		for _, key := range sortedKeys(o.families[i]) {
			if err := o.writeSeries(name, o.families[i][key]); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(o.w, "# EOF\n")
	return err
}

// writeSeries writes the points of a series, a line each.
func (o *OpenMetrics) writeSeries(name string, of *series) error {
	var line []byte
	return o.spool.each(of, func(p point) error {
		line = append(append(line[:0], name...), of.labels...)
		line = strconv.AppendFloat(append(line, ' '), p.value, 'f', -1, 64)
		line = strconv.AppendFloat(append(line, ' '), p.at, 'f', 3, 64)
		_, err := o.w.Write(append(line, '\n'))
		return err
	})
}

var labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// labels are labels and their values, as lines have them.
func labels(pairs ...string) string {
	var out strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		out.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		out.WriteString(pairs[i] + `="` + labelText.Replace(term.Safe(pairs[i+1])) + `"`)
	}
	return out.String() + "}"
}
