package anomaly

import (
	"slices"

	"github.com/proctape/proctape/schema/metric"
)

// Needs is what rules read, so that no more is read of the past.
type Needs struct {
	Snapshots bool
	Processes bool        // of the snapshots
	Metrics   []metric.ID // of the processes of snapshots, beside those that say which process it is
	Events    bool
	Runs      bool
}

// Needs says what the rules read.
func (r *Rules) Needs() Needs {
	n := Needs{}
	add := func(id metric.ID) {
		if m := &metric.Table[id]; m.Measured() && !slices.Contains(n.Metrics, id) {
			n.Metrics = append(n.Metrics, id)
		}
	}
	for _, j := range r.list {
		switch {
		case j.On == OnRun:
			n.Runs = true
			continue
		case isEvent(j.On):
			n.Events = true
			continue
		}
		n.Snapshots = true
		if j.On == OnGroup || j.On == OnJob || j.On == OnGPU {
			for _, id := range []metric.ID{metric.Threads, metric.RSS, metric.Swap, metric.OpenFDs, metric.GPUMemory, metric.CPUPermille, metric.State} {
				add(id)
			}
		}
		n.Processes = n.Processes || j.On != OnHost
		for _, f := range j.fields() {
			n.Processes = n.Processes || f.Name == "host_processes" || f.Name == "host_zombies"
			if f.Name == "state_seconds" || f.Name == "host_zombies" {
				add(metric.State)
			}
			if f.Name == "state_seconds" {
				for _, id := range progress {
					add(id)
				}
			}
			if f.metric < metric.Count {
				add(f.metric)
			}
		}
	}
	return n
}

// fields are the fields that the rule names, wherever it does.
func (j *compiled) fields() []*Field {
	fields := slices.Clone(j.show)
	expressions := []*expression{j.watch, j.when, j.until, j.reset, j.threshold}
	for _, e := range j.escalate {
		expressions = append(expressions, e.when)
	}
	for _, e := range expressions {
		if e != nil {
			fields = append(fields, e.fields...)
		}
	}
	for _, p := range j.describe {
		fields = append(fields, p.field)
	}
	fields = append(fields, j.track, j.value)
	return slices.DeleteFunc(fields, func(f *Field) bool { return f == nil })
}
