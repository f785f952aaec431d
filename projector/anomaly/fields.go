package anomaly

import (
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// value is a number, a text or a truth; or nil where it is not known.
type value = any

// Field is what an expression may name.
type Field struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	Doc  string `json:"doc"`

	zero   value // of its type
	get    func(*row) value
	num    func(*row) (float64, bool) // the same of a number, for what is asked of every row; nil for others
	metric metric.ID                  // that it is, and per; Count for none
	per    float64
}

// number is a field that is a number; get returns NaN-free values, and false for one that is not known.
func number(name, unit, doc string, get func(*row) (float64, bool)) Field {
	return Field{Name: name, Unit: unit, Doc: doc, zero: 0.0, metric: metric.Count, num: get, get: func(r *row) value {
		if v, ok := get(r); ok {
			return v
		}
		return nil
	}}
}

func text(name, doc string, get func(*row) string) Field {
	return Field{Name: name, Doc: doc, zero: "", metric: metric.Count, get: func(r *row) value { return get(r) }}
}

func opt(v schema.Opt[int64], per float64) (float64, bool) { return float64(v.V) / per, v.Known }

// FieldsOf are the fields of a scope: what a rule on it may name, beside its settings.
func FieldsOf(scope string) []Field {
	switch {
	case scope == OnProcess:
		return slices.Concat(processFields, hostFields)
	case scope == OnGroup, scope == OnJob:
		return slices.Concat(groupFields, hostFields)
	case scope == OnHost:
		return hostFields
	case scope == OnGPU:
		return slices.Concat(gpuFields, hostFields)
	case scope == OnRun:
		return runFields
	case isEvent(scope):
		return eventFields
	}
	return nil
}

// TrackedFields are what a rule may name beside the fields of its scope when it tracks one.
var TrackedFields = []Field{
	number("baseline", "", "Of what track names: the oldest value in the window, or the newest older one.", func(r *row) (float64, bool) { return r.tracked.baseline, r.tracked.has }),
	number("rise", "", "The value less the baseline.", func(r *row) (float64, bool) { return r.tracked.rise(), r.tracked.has }),
	number("growth", "", "The value divided by the baseline; unknown where that is 0.", func(r *row) (float64, bool) { return r.tracked.growth() }),
	number("span_seconds", "s", "For how long values are there.", func(r *row) (float64, bool) { return r.tracked.span, r.tracked.has }),
	number("slope_per_hour", "", "The median slope between any two values of the window (Theil and Sen), for an hour.", func(r *row) (float64, bool) { return r.tracked.slope().perHour, r.tracked.has }),
	number("steadiness", "", "How alike the slopes of the two halves of the window are: 1 for a line, near 0 for what has come to its end.", func(r *row) (float64, bool) { return r.tracked.slope().steady, r.tracked.has }),
	number("confidence", "", "How sure it is that values rise, 0 to 1: the test of Mann and Kendall.", func(r *row) (float64, bool) { return r.tracked.slope().confidence, r.tracked.has }),
}

// RunTrackedFields are the same of rules on runs: the window is the earlier runs.
var RunTrackedFields = []Field{
	number("usual", "", "Of what track names: the median of the earlier runs.", func(r *row) (float64, bool) { return r.earlier.median, r.earlier.n > 0 }),
	number("most", "", "The largest of the earlier runs.", func(r *row) (float64, bool) { return r.earlier.most, r.earlier.n > 0 }),
	number("deviation", "", "How far the value is above the median, in deviations as earlier runs have them (1.4826 times the median one, at least 5 % of the median).",
		func(r *row) (float64, bool) { return r.earlier.deviation, r.earlier.n > 0 }),
	number("earlier", "runs", "Earlier runs that are known.", func(r *row) (float64, bool) { return float64(r.earlier.n), true }),
}

// CountedFields are the same of rules on events: what one may name when it counts.
var CountedFields = []Field{
	number("count", "events", "Events in the window that meet the condition, this one included.", func(r *row) (float64, bool) { return float64(r.count), true }),
	number("since_last_seconds", "s", "Since the last event of the subject that counted; unknown where the window has none.", func(r *row) (float64, bool) { return r.sinceLast, r.hasLast }),
}

// processFields are the metrics of a process by their shown names, and what follows from them.
var processFields = func() []Field {
	var fields []Field
	for id := range metric.Count {
		m := &metric.Table[id]
		name := m.Key
		if name == "" {
			name = m.Name
		}
		f := Field{Name: name, Unit: m.Unit.Shown, Doc: m.Doc, zero: 0.0, metric: id, per: float64(max(m.Unit.Per, 1))}
		switch m.Kind {
		case metric.Text:
			f.zero, f.get = "", func(r *row) value { return r.procs.Text(id, r.i) }
		case metric.Letter:
			f.zero, f.get = "", func(r *row) value { return letter(r.procs.Number(id, r.i)) }
		case metric.Flag:
			f.zero, f.get = false, func(r *row) value { return r.procs.Number(id, r.i).V > 0 }
		default:
			per := f.per
			f.num = func(r *row) (float64, bool) { return opt(r.procs.Number(id, r.i), per) }
			f.get = func(r *row) value {
				if v, ok := f.num(r); ok {
					return v
				}
				return nil
			}
		}
		fields = append(fields, f)
	}
	return append(fields,
		number("age_seconds", "s", "Since the process started.", func(r *row) (float64, bool) {
			return float64(r.boot)/1e9 - float64(r.procs.StartTicks(r.i))/100, r.boot > 0
		}),
		number("state_seconds", "s", "For how long the process has been in this state, as snapshots have it; of the states D (without getting anything done meanwhile), Z, T and t.",
			func(r *row) (float64, bool) { return r.stateSeconds(), true }),
		text("program", "Name of the program, without its path.", func(r *row) string { return programOf(r.procs.Text(metric.Command, r.i)) }),
		Field{Name: "kernel", Doc: "The process is a thread of the kernel.", zero: false, metric: metric.Count,
			get: func(r *row) value { return strings.HasPrefix(r.procs.Text(metric.Command, r.i), "[") }})
}()

func letter(v schema.Opt[int64]) value {
	if !v.Known || v.V == 0 {
		return nil
	}
	return string(rune(v.V))
}

var hostFields = []Field{
	number("memory_total_mb", "MiB", "Memory of the host.", func(r *row) (float64, bool) {
		return float64(r.s.MemoryTotal) / 1024, r.s.HostValues.Knows(schema.HostMemoryTotal)
	}),
	number("memory_available_mb", "MiB", "Memory of the host that programs can have.", func(r *row) (float64, bool) {
		return float64(r.s.MemoryAvail) / 1024, r.s.HostValues.Knows(schema.HostMemoryAvail)
	}),
	number("memory_available_fraction", "", "The same as a part of all, 0 to 1.", func(r *row) (float64, bool) {
		return float64(r.s.MemoryAvail) / float64(max(r.s.MemoryTotal, 1)), r.s.HostValues.KnowsMemoryUsed() && r.s.MemoryTotal > 0
	}),
	number("cpus", "", "Processors online.", func(r *row) (float64, bool) { return float64(r.s.CPUs), r.s.HostValues.Knows(schema.HostCPUs) }),
	number("load_1", "", "Load average over 1 minute.", func(r *row) (float64, bool) { return float64(r.s.Load[0]) / 100, r.s.HostValues.Knows(schema.HostLoad) }),
	number("load_5", "", "Load average over 5 minutes.", func(r *row) (float64, bool) { return float64(r.s.Load[1]) / 100, r.s.HostValues.Knows(schema.HostLoad) }),
	pressure("psi_cpu_some", "Share of the last ten seconds in which some tasks waited for a processor, percent.", func(p *schema.Pressure) schema.Opt[int64] { return p.CPUSome }),
	pressure("psi_memory_some", "The same for memory.", func(p *schema.Pressure) schema.Opt[int64] { return p.MemorySome }),
	pressure("psi_memory_full", "In which all tasks waited for memory, percent.", func(p *schema.Pressure) schema.Opt[int64] { return p.MemoryFull }),
	pressure("psi_io_some", "In which some tasks waited for storage, percent.", func(p *schema.Pressure) schema.Opt[int64] { return p.IOSome }),
	pressure("psi_io_full", "In which all tasks waited for storage, percent.", func(p *schema.Pressure) schema.Opt[int64] { return p.IOFull }),
	number("host_processes", "", "Processes of the host.", func(r *row) (float64, bool) { return float64(r.s.Processes.Len()), true }),
	number("host_zombies", "", "Processes of the host in state Z.", func(r *row) (float64, bool) { return float64(len(r.s.Zombies())), true }),
	number("forks_per_second", "1/s", "Processes and threads that were started, since the snapshot before.", func(r *row) (float64, bool) { return r.forks, r.forksKnown }),
	number("group_used_fraction", "", "Memory of the recorder's control group as a part of its limit, 0 to 1; unknown without a limit.", func(r *row) (float64, bool) {
		v := &r.s.HostValues
		return float64(v.GroupUsed.V) / float64(max(v.GroupLimit.V, 1)), v.GroupUsed.Known && v.GroupLimit.Known && v.GroupLimit.V > 0
	}),
	number("interval_seconds", "s", "The sampler's period.", func(r *row) (float64, bool) { return float64(r.s.Interval) / 1e9, true }),
}

func pressure(name, doc string, of func(*schema.Pressure) schema.Opt[int64]) Field {
	return number(name, "%", doc, func(r *row) (float64, bool) {
		if r.s.Pressure == nil {
			return 0, false
		}
		return opt(of(r.s.Pressure), 100)
	})
}

// groupFields are sums over the processes of a group or a job. A process of which a value is not known adds nothing.
var groupFields = []Field{
	number("processes", "", "Processes of it.", func(r *row) (float64, bool) { return float64(r.sum.processes), true }),
	number("zombies", "", "Of which so many are in state Z, and were in the snapshot before.", func(r *row) (float64, bool) { return float64(r.sum.zombies), true }),
	number("zombie_seconds", "s", "For how long the oldest of these has been so.", func(r *row) (float64, bool) { return r.sum.zombieSeconds, true }),
	number("blocked", "", "Of which so many are in state D.", func(r *row) (float64, bool) { return float64(r.sum.blocked), true }),
	number("threads", "", "Threads.", func(r *row) (float64, bool) { return float64(r.sum.threads), true }),
	number("rss_mb", "MiB", "Resident memory; what they share counts for each.", func(r *row) (float64, bool) { return float64(r.sum.rss) / 1024, true }),
	number("swap_mb", "MiB", "Memory in swap.", func(r *row) (float64, bool) { return float64(r.sum.swap) / 1024, true }),
	number("cpu_percent", "percent of a core", "CPU since the sample before.", func(r *row) (float64, bool) { return float64(r.sum.cpu) / 10, true }),
	number("open_fds", "", "Open file descriptors.", func(r *row) (float64, bool) { return float64(r.sum.fds), true }),
	number("gpu_memory_mb", "MiB", "Memory on GPUs.", func(r *row) (float64, bool) { return float64(r.sum.gpu) / 1024, true }),
	text("job_id", "The job; empty for none.", func(r *row) string { return r.sum.about.JobID }),
	text("program", "The program, of groups by program; or that of the parent.", func(r *row) string { return programOf(r.sum.about.Command) }),
	text("cgroup", "The control group, of groups by cgroup.", func(r *row) string { return r.sum.about.Cgroup }),
}

var gpuFields = []Field{
	number("utilization_percent", "%", "How busy the GPU is.", func(r *row) (float64, bool) { return opt(r.gpu.Utilization, 10) }),
	number("gpu_used_mb", "MiB", "Memory of the GPU that is in use.", func(r *row) (float64, bool) { return opt(r.gpu.MemoryUsed, 1024) }),
	number("gpu_total_mb", "MiB", "Memory of the GPU.", func(r *row) (float64, bool) { return opt(r.gpu.MemoryTotal, 1024) }),
	number("temperature_c", "°C", "Temperature.", func(r *row) (float64, bool) { return opt(r.gpu.Temperature, 10) }),
	number("holders", "", "Processes of jobs that hold memory on a GPU of the host; which GPU is not known.", func(r *row) (float64, bool) { return float64(r.holders), true }),
}

var runFields = []Field{
	text("job_id", "The job.", func(r *row) string { return r.run.JobID }),
	text("status", "As its conductor said.", func(r *row) string { return r.run.Status }),
	number("run", "", "Number of the run.", func(r *row) (float64, bool) { return float64(r.run.Number), true }),
	number("sheet_num", "", "The step; -1 for the run as a whole.", func(r *row) (float64, bool) { return float64(r.sheet().Or(-1)), true }),
	number("exit_code", "", "How it ended.", func(r *row) (float64, bool) { return opt(r.exitCode(), 1) }),
	number("signal_num", "", "The signal that ended it.", func(r *row) (float64, bool) { return opt(r.signal(), 1) }),
	number("duration_seconds", "s", "From start to end.", func(r *row) (float64, bool) { return r.duration() }),
	number("cpu_seconds", "s", "CPU in all.", func(r *row) (float64, bool) { return opt(r.totals().CPUMicros, 1e6) }),
	number("peak_rss_mb", "MiB", "Memory of the largest process.", func(r *row) (float64, bool) { return opt(r.totals().PeakRSS, 1024) }),
	number("group_peak_mb", "MiB", "Memory of all at one time.", func(r *row) (float64, bool) { return opt(r.totals().GroupPeak, 1024) }),
	number("read_mb", "MiB", "Read from storage.", func(r *row) (float64, bool) { return opt(r.totals().ReadKiB, 1024) }),
	number("write_mb", "MiB", "Written to storage.", func(r *row) (float64, bool) { return opt(r.totals().WriteKiB, 1024) }),
	number("processes", "", "Processes in all.", func(r *row) (float64, bool) { return opt(r.totals().Processes, 1) }),
}

var eventFields = []Field{
	number("pid", "", "Process id.", func(r *row) (float64, bool) { return float64(r.event.PID), true }),
	number("ppid", "", "Process id of the parent.", func(r *row) (float64, bool) { return opt(r.event.PPID, 1) }),
	text("command", "Command line.", func(r *row) string { return r.event.Command }),
	text("program", "Name of the program, without its path.", func(r *row) string { return programOf(r.event.Command) }),
	text("job_id", "The job; empty for none.", func(r *row) string { return r.event.JobID }),
	number("sheet_num", "", "The job's step.", func(r *row) (float64, bool) { return opt(r.event.Sheet, 1) }),
	number("uid", "", "Effective user id.", func(r *row) (float64, bool) { return opt(r.event.UID, 1) }),
	number("exit_code", "", "Exit code; unknown where a signal ended it.", func(r *row) (float64, bool) { return opt(r.event.ExitCode, 1) }),
	number("signal_num", "", "The signal that ended it.", func(r *row) (float64, bool) { return opt(r.event.Signal, 1) }),
	number("cpu_seconds", "s", "CPU of its life.", func(r *row) (float64, bool) { return opt(r.event.CPUMillis, 1000) }),
	number("peak_rss_mb", "MiB", "Most resident memory.", func(r *row) (float64, bool) { return opt(r.event.PeakRSS, 1024) }),
	number("lifetime_seconds", "s", "From start to end.", func(r *row) (float64, bool) { return opt(r.event.Lifetime, 1000) }),
}
