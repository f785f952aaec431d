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
	o.float("system_memory_used_mb", schema.MiB(int64(s.MemoryTotal)-int64(s.MemoryAvail)))
	o.float("daemon_rss_mb", schema.MiB(int64(s.DaemonRSS)))
	o.decimal("load_avg_1", s.Load[0], 2)
	o.decimal("load_avg_5", s.Load[1], 2)
	o.decimal("load_avg_15", s.Load[2], 2)
	appendProcesses(o, &s.Processes, m.Boot)
	list(o, "gpus", s.GPUs, appendGPU)
	o.text("pressure_level", s.PressureLevel)
	o.int("running_jobs", int64(s.RunningJobs))
	o.int("active_sheets", int64(s.ActiveSheets))
	zombies := s.Zombies()
	o.int("zombie_count", int64(len(zombies)))
	o.key("zombie_pids")
	o.b = AppendInts(o.b, zombies)
	list(o, "job_progress", s.JobProgress, appendJobProgress)
	o.decimal("conductor_uptime_seconds", s.Uptime, 9)
	o.close()
	return append(o.b, '\n')
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
	appendMetrics(o, metric.Contract, procs, row)
	o.decimal("age_seconds", boot-int64(procs.StartTicks(row))*(1e9/schema.TicksPerSecond), 9)
	job := schema.JobOf(procs, row)
	optText(o, "job_id", job.ID)
	optInt(o, "sheet_num", procs.Number(metric.Sheet, row))
	calls := procs.Syscalls(row)
	o.key("syscall_counts")
	o.b = AppendSyscallCounts(o.b, calls)
	o.key("syscall_time_pct")
	o.b = AppendSyscallTimes(o.b, calls)
	appendMetrics(o, metric.Extras, procs, row)
	appendFleet(o, job)
	o.close()
}

// appendMetrics appends what was measured of a process, in the units that people are shown. Of what is unknown only the keys
// that the contract names are there.
func appendMetrics(o *object, ids []metric.ID, procs *schema.Processes, row int) {
	for _, id := range ids {
		m, v := &metric.Table[id], procs.Number(id, row)
		switch {
		case !v.Known && m.InLine:
		case m.Kind == metric.Letter:
			o.text(m.Key, schema.Letter(v.V))
		case m.Unit.Per == 1024:
			optMiB(o, m.Key, v)
		default:
			optDecimal(o, m.Key, v, m.Unit.Digits())
		}
	}
}

func appendGPU(o *object, g *schema.GPU) {
	o.open()
	o.int("index", int64(g.Index))
	optDecimal(o, "utilization_pct", g.Utilization, 1)
	optMiB(o, "memory_used_mb", g.MemoryUsed)
	optMiB(o, "memory_total_mb", g.MemoryTotal)
	optDecimal(o, "temperature_c", g.Temperature, 1)
	o.close()
}

func appendJobProgress(o *object, j *schema.JobProgress) {
	o.open()
	o.text("job_id", j.JobID)
	optInt(o, "total_sheets", j.TotalSheets)
	optInt(o, "last_completed_sheet", j.LastCompleted)
	optInt(o, "current_sheet", j.CurrentSheet)
	o.text("status", j.Status)
	appendFleet(o, schema.JobKey{ID: j.JobID, Fleet: j.Fleet})
	o.close()
}

// appendFleet appends that a job is the fleet's. Of a host's own job there is no key: lines of a host that has no job of the
// fleet are what they were before there were any.
func appendFleet(o *object, job schema.JobKey) {
	if job.Fleet {
		o.bool("fleet", true)
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

// AppendPressure appends stall percentages as a JSON object.
func AppendPressure(b []byte, p *schema.Pressure) []byte {
	o := object{b: b}
	o.open()
	o.decimal("cpu_some", p.CPUSome, 2)
	o.decimal("memory_some", p.MemorySome, 2)
	o.decimal("memory_full", p.MemoryFull, 2)
	o.decimal("io_some", p.IOSome, 2)
	o.decimal("io_full", p.IOFull, 2)
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
