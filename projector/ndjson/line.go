package ndjson

import (
	"strconv"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// AppendSnapshot appends a snapshot's line: the contract's keys, all of them, in one order.
func AppendSnapshot(b []byte, m *schema.Message) []byte {
	s := m.Snapshot
	o := &object{b: b}
	o.open()
	o.float("timestamp", schema.Timestamp(m.Wall))
	o.int("daemon_pid", int64(s.DaemonPID))
	o.float("system_memory_total_mb", schema.MiB(int64(s.MemoryTotal)))
	o.float("system_memory_available_mb", schema.MiB(int64(s.MemoryAvail)))
	o.float("system_memory_used_mb", memoryUsed(s))
	o.float("daemon_rss_mb", schema.MiB(int64(s.DaemonRSS)))
	o.decimal("load_avg_1", s.Load[0], 2)
	o.decimal("load_avg_5", s.Load[1], 2)
	o.decimal("load_avg_15", s.Load[2], 2)
	appendProcesses(o, &s.Processes, m.Boot)
	list(o, "gpus", s.GPUs, appendLineGPU)
	o.text("pressure_level", s.PressureLevel)
	o.int("running_jobs", int64(s.RunningJobs))
	o.int("active_sheets", int64(s.ActiveSheets))
	zombies := s.Zombies()
	o.int("zombie_count", int64(len(zombies)))
	o.key("zombie_pids")
	o.b = AppendInts(o.b, zombies)
	list(o, "job_progress", s.JobProgress, appendLineJobProgress)
	o.decimal("conductor_uptime_seconds", s.Uptime, 9)
	o.text("host", m.Host)
	appendUnknownKeys(o, s.HostValues.UnknownKeys())
	o.close()
	return append(o.b, '\n')
}

// memoryUsed is how much memory the host uses, in MiB; 0 when that is not known.
func memoryUsed(s *schema.Snapshot) float64 {
	if !s.HostValues.KnowsMemoryUsed() {
		return 0
	}
	return schema.MiB(int64(s.MemoryTotal) - int64(s.MemoryAvail))
}

func appendProcesses(o *object, procs *schema.Processes, boot int64) {
	o.key("processes")
	o.b = append(o.b, '[')
	for row := range procs.Len() {
		if row > 0 {
			o.b = append(o.b, ',')
		}
		appendProcess(o, procs, row, boot)
	}
	o.b = append(o.b, ']')
}

func appendProcess(o *object, procs *schema.Processes, row int, boot int64) {
	o.open()
	o.int("pid", int64(procs.PID(row)))
	o.int("ppid", procs.Number(metric.PPID, row).V)
	o.text("command", procs.Text(metric.Command, row))
	unknown := appendContract(o, procs, row)
	o.decimal("age_seconds", boot-int64(procs.StartTicks(row))*(1e9/schema.TicksPerSecond), 9)
	job := schema.JobOf(procs, row)
	optText(o, "job_id", job.ID)
	optInt(o, "sheet_num", procs.Number(metric.Sheet, row))
	calls := procs.Syscalls(row)
	o.key("syscall_counts")
	o.b = AppendSyscallCounts(o.b, calls)
	o.key("syscall_time_pct")
	o.b = AppendSyscallTimes(o.b, calls)
	for _, id := range metric.Extras {
		if v := procs.Number(id, row); v.Known {
			appendMetric(o, &metric.Table[id], v.V)
		}
	}
	appendFleet(o, job)
	if unknown > 0 {
		appendUnknown(o, procs, row)
	}
	o.close()
}

// appendContract appends the metrics that the contract names, with its default for what is unknown, and returns how many
// are.
func appendContract(o *object, procs *schema.Processes, row int) (unknown int) {
	for _, id := range metric.Contract {
		m, v := &metric.Table[id], procs.Number(id, row)
		if !v.Known {
			v.V = m.Default
			unknown++
		}
		appendMetric(o, m, v.V)
	}
	return unknown
}

// appendUnknown names the metrics of the contract that hold a default.
func appendUnknown(o *object, procs *schema.Processes, row int) {
	var keys [metric.Count]string
	n := 0
	for _, id := range metric.Contract {
		if !procs.Number(id, row).Known {
			keys[n] = metric.Table[id].Key
			n++
		}
	}
	appendUnknownKeys(o, keys[:n])
}

// appendMetric appends a number of a process, in the unit that people are shown.
func appendMetric(o *object, m *metric.Metric, v int64) {
	switch {
	case m.Kind == metric.Letter:
		o.text(m.Key, schema.Letter(v))
	case m.Unit.Per == 1024:
		o.key(m.Key)
		o.b = appendMiB(o.b, v)
	default:
		o.decimal(m.Key, v, m.Unit.Digits())
	}
}

func appendGPU(o *object, g *schema.GPU) {
	o.open()
	appendGPUMembers(o, g)
	o.close()
}

func appendGPUMembers(o *object, g *schema.GPU) {
	o.int("index", int64(g.Index))
	optDecimal(o, "utilization_pct", g.Utilization, 1)
	optMiB(o, "memory_used_mb", g.MemoryUsed)
	optMiB(o, "memory_total_mb", g.MemoryTotal)
	optDecimal(o, "temperature_c", g.Temperature, 1)
}

// appendLineGPU appends a GPU with the contract's default, 0, for what is not known, and names that in the key unknown.
func appendLineGPU(o *object, g *schema.GPU) {
	known := *g
	var unknown []string
	for _, v := range []struct {
		key   string
		value *schema.Opt[int64]
	}{
		{"utilization_pct", &known.Utilization}, {"memory_used_mb", &known.MemoryUsed},
		{"memory_total_mb", &known.MemoryTotal}, {"temperature_c", &known.Temperature},
	} {
		if !v.value.Known {
			*v.value = schema.Some(int64(0))
			unknown = append(unknown, v.key)
		}
	}
	o.open()
	appendGPUMembers(o, &known)
	appendUnknownKeys(o, unknown)
	o.close()
}

func appendJobProgress(o *object, j *schema.JobProgress) {
	o.open()
	appendJobProgressMembers(o, j)
	o.close()
}

func appendJobProgressMembers(o *object, j *schema.JobProgress) {
	o.text("job_id", j.JobID)
	optInt(o, "total_sheets", j.TotalSheets)
	optInt(o, "last_completed_sheet", j.LastCompleted)
	optInt(o, "current_sheet", j.CurrentSheet)
	o.text("status", j.Status)
	appendFleet(o, schema.JobKey{ID: j.JobID, Fleet: j.Fleet})
}

// appendLineJobProgress appends a job's progress with the contract's defaults for what is not known, of which the number of steps is at least
// 1, and names that in the key unknown. The current step may be null.
func appendLineJobProgress(o *object, j *schema.JobProgress) {
	known := *j
	var unknown []string
	for _, v := range []struct {
		key       string
		value     *schema.Opt[int64]
		otherwise int64
	}{{"total_sheets", &known.TotalSheets, 1}, {"last_completed_sheet", &known.LastCompleted, 0}} {
		if !v.value.Known {
			*v.value = schema.Some(v.otherwise)
			unknown = append(unknown, v.key)
		}
	}
	known.TotalSheets.V = max(known.TotalSheets.V, 1)
	o.open()
	appendJobProgressMembers(o, &known)
	appendUnknownKeys(o, unknown)
	o.close()
}

// appendFleet appends that a job is the fleet's. Of a host's own job there is no key: lines of a host that has no job of the
// fleet are what they were before there were any.
func appendFleet(o *object, job schema.JobKey) {
	if job.Fleet {
		o.bool("fleet", true)
	}
}

// appendUnknownKeys names the keys that hold the contract's default because the value is not known.
func appendUnknownKeys(o *object, keys []string) {
	if len(keys) > 0 {
		o.key("unknown")
		o.b = appendStrings(o.b, keys)
	}
}

// AppendGPUs appends a snapshot's GPUs as a JSON array, as lines and tables hold them.
func AppendGPUs(b []byte, gpus []schema.GPU) []byte { return appendArray(b, gpus, appendGPU) }

// AppendJobProgress appends the progress of jobs as a JSON array, as lines and tables hold it.
func AppendJobProgress(b []byte, jobs []schema.JobProgress) []byte {
	return appendArray(b, jobs, appendJobProgress)
}

// AppendInts appends a JSON array of integers.
func AppendInts(b []byte, v []int64) []byte {
	b = append(b, '[')
	for i, n := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return append(b, ']')
}

// AppendFloats appends a JSON array with one number for each item.
func AppendFloats[T any](b []byte, items []T, value func(*T) float64) []byte {
	b = append(b, '[')
	for i := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFloat(b, value(&items[i]))
	}
	return append(b, ']')
}

// AppendStrings appends a JSON array of strings.
func AppendStrings(b []byte, v []string) []byte { return appendStrings(b, v) }

// AppendCapabilities appends a JSON array of the names of capabilities.
func AppendCapabilities(b []byte, v []schema.Capability) []byte { return appendStrings(b, v) }

func appendStrings[S ~string](b []byte, v []S) []byte {
	b = append(b, '[')
	for i, s := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, string(s))
	}
	return append(b, ']')
}

// AppendSyscallCounts appends system calls as a JSON object name → calls, in the tracer's order.
func AppendSyscallCounts(b []byte, calls []schema.Syscall) []byte {
	o := object{b: b}
	o.open()
	for i := range calls {
		o.foreignKey(calls[i].Name)
		o.b = strconv.AppendInt(o.b, int64(calls[i].Calls), 10)
	}
	o.close()
	return o.b
}

// AppendSyscallTimes appends system calls as a JSON object name → percent of the traced time.
func AppendSyscallTimes(b []byte, calls []schema.Syscall) []byte {
	o := object{b: b}
	o.open()
	for i := range calls {
		o.foreignKey(calls[i].Name)
		o.b = appendDecimal(o.b, int64(calls[i].TimeX100), 2)
	}
	o.close()
	return o.b
}

// AppendPressure appends stall percentages as a JSON object, null for what is not known.
func AppendPressure(b []byte, p *schema.Pressure) []byte {
	o := object{b: b}
	o.open()
	optDecimal(&o, "cpu_some", p.CPUSome, 2)
	optDecimal(&o, "memory_some", p.MemorySome, 2)
	optDecimal(&o, "memory_full", p.MemoryFull, 2)
	optDecimal(&o, "io_some", p.IOSome, 2)
	optDecimal(&o, "io_full", p.IOFull, 2)
	o.close()
	return o.b
}

// AppendEvent appends a lifecycle event's line.
func AppendEvent(b []byte, m *schema.Message, e *schema.Event) []byte {
	o := &object{b: b}
	o.open()
	o.float("timestamp", schema.Timestamp(e.Wall))
	o.text("host", m.Host)
	o.text("event_type", m.Kind.EventType())
	o.int("pid", int64(e.PID))
	optInt(o, "ppid", e.PPID)
	o.text("command", e.Command)
	optInt(o, "exit_code", e.ExitCode)
	optInt(o, "signal_num", e.Signal)
	o.bool("core", e.Core)
	optText(o, "job_id", e.JobID)
	optInt(o, "sheet_num", e.Sheet)
	optDecimal(o, "cpu_seconds", e.CPUMillis, 3)
	optMiB(o, "peak_rss_mb", e.PeakRSS)
	optMiB(o, "read_mb", e.ReadKiB)
	optMiB(o, "write_mb", e.WriteKiB)
	optDecimal(o, "lifetime_seconds", e.Lifetime, 3)
	if e.System.Known {
		optDecimal(o, "system_cpu_seconds", e.System, 3)
	}
	if e.Within.Known {
		optDecimal(o, "within_seconds", e.Within, 3)
	}
	o.text("source", e.Source)
	o.text("details", e.Details)
	appendFleet(o, e.Job())
	o.close()
	return append(o.b, '\n')
}

// AppendExec appends an exec's line. Its keys are those of an event's line, as far as an exec has them; its event_type is
// in no table.
func AppendExec(b []byte, m *schema.Message, e *schema.Exec) []byte {
	o := &object{b: b}
	o.open()
	o.float("timestamp", schema.Timestamp(e.Wall))
	o.text("host", m.Host)
	o.text("event_type", "exec")
	o.int("pid", int64(e.PID))
	optText(o, "command", e.Command)
	optText(o, "job_id", e.JobID)
	optInt(o, "sheet_num", e.Sheet)
	o.text("source", e.Source)
	appendFleet(o, e.Job())
	o.close()
	return append(o.b, '\n')
}

// Gap is a hole in the story, as its line tells it.
type Gap struct {
	Timestamp        float64 // of the message at which it was noticed, Unix seconds
	Host             string  // empty when it is no one host's
	Stream           string
	Kind             schema.GapKind
	Count            schema.Opt[int64]
	FromTime, ToTime float64 // Unix seconds; 0 when not known
	Details          string
}

// AppendGap appends a gap's line.
func AppendGap(b []byte, g Gap) []byte {
	o := &object{b: b}
	o.open()
	o.float("timestamp", g.Timestamp)
	optText(o, "host", g.Host)
	o.text("event_type", "gap")
	o.text("kind", string(g.Kind))
	optInt(o, "count", g.Count)
	optTime(o, "from_time", g.FromTime)
	optTime(o, "to_time", g.ToTime)
	o.text("stream", g.Stream)
	o.text("details", g.Details)
	o.close()
	return append(o.b, '\n')
}
