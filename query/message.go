package query

import (
	"encoding/json"
	"strconv"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// SnapshotFromMessage is the snapshot that a message of the log carries, as [Snapshots] returns it. The message must be
// of the kind snapshot.
func SnapshotFromMessage(m *schema.Message) Snapshot {
	out := hostFromMessage(m)
	out.Processes = make([]Process, m.Snapshot.Processes.Len())
	for row := range out.Processes {
		out.Processes[row] = processFromMessage(&m.Snapshot.Processes, row, m.Boot)
	}
	return out
}

// hostFromMessage is the snapshot that a message carries, without its processes.
func hostFromMessage(m *schema.Message) Snapshot {
	s := m.Snapshot
	out := Snapshot{
		Timestamp: schema.Timestamp(m.Wall), Host: m.Host, DaemonPID: int64(s.DaemonPID),
		MemTotal: schema.MiB(int64(s.MemoryTotal)), MemAvail: schema.MiB(int64(s.MemoryAvail)),
		MemUsed: memoryUsed(s), HostValues: hostValuesFromMessage(&s.HostValues), DaemonRSS: schema.MiB(int64(s.DaemonRSS)),
		Load1: float64(s.Load[0]) / 100, Load5: float64(s.Load[1]) / 100, Load15: float64(s.Load[2]) / 100,
		GPUs: make([]GPU, len(s.GPUs)), PressureLevel: s.PressureLevel,
		RunningJobs: int64(s.RunningJobs), ActiveSheets: int64(s.ActiveSheets), ZombiePIDs: s.Zombies(),
		JobProgress: make([]JobProgress, len(s.JobProgress)), Uptime: float64(s.Uptime) / 1e9, CPUs: int64(s.CPUs),
		Partial: s.Partial, Hidden: int64(s.Hidden),
	}
	if p := s.Pressure; p != nil {
		out.Pressure = &Pressure{hundredths(p.CPUSome), hundredths(p.MemorySome), hundredths(p.MemoryFull), hundredths(p.IOSome), hundredths(p.IOFull)}
	}
	out.Zombies = int64(len(out.ZombiePIDs))
	if out.ZombiePIDs == nil {
		out.ZombiePIDs = []int64{}
	}
	for i, g := range s.GPUs {
		out.GPUs[i] = GPU{g.Index, scaled(g.Utilization, 10), scaled(g.MemoryUsed, 1024), scaled(g.MemoryTotal, 1024), scaled(g.Temperature, 10)}
	}
	for i, j := range s.JobProgress {
		out.JobProgress[i] = JobProgress{j.JobID, pointer(j.TotalSheets), pointer(j.LastCompleted), pointer(j.CurrentSheet), j.Status, j.Fleet}
	}
	return out
}

// hundredths is a number of hundredths; nil when it is not known.
func hundredths(v schema.Opt[int64]) *float64 {
	if !v.Known {
		return nil
	}
	f := float64(v.V) / 100
	return &f
}

// memoryUsed is how much memory the host uses, in MiB; 0 when that is not known.
func memoryUsed(s *schema.Snapshot) float64 {
	if !s.HostValues.KnowsMemoryUsed() {
		return 0
	}
	return schema.MiB(int64(s.MemoryTotal) - int64(s.MemoryAvail))
}

func processFromMessage(procs *schema.Processes, row int, boot int64) Process {
	out := Process{PID: int64(procs.PID(row)), PPID: procs.Number(metric.PPID, row).V, Command: procs.Text(metric.Command, row), Age: schema.AgeAt(boot, procs.StartTicks(row)),
		Sheet: pointer(procs.Number(metric.Sheet, row)), StartTicks: int64(procs.StartTicks(row)), UID: pointer(procs.Number(metric.UID, row))}
	for _, id := range metric.Shown {
		out.measure(id, procs.Number(id, row))
	}
	if job := schema.JobOf(procs, row); job.ID != "" {
		out.JobID, out.Fleet = &job.ID, job.Fleet
	}
	if group := procs.Text(metric.Cgroup, row); group != "" {
		out.Cgroup = &group
	}
	calls := procs.Syscalls(row)
	out.SyscallCounts = perCall(calls, func(c *schema.Syscall) float64 { return float64(c.Calls) })
	out.SyscallTimes = perCall(calls, func(c *schema.Syscall) float64 { return float64(c.TimeX100) / 100 })
	return out
}

// perCall is a JSON object with a number for each system call, in the tracer's order, as the tables have it.
func perCall(calls []schema.Syscall, value func(*schema.Syscall) float64) json.RawMessage {
	b := []byte{'{'}
	for i := range calls {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(calls[i].Name) // a string always encodes
		b = append(append(b, name...), ':')
		b = strconv.AppendFloat(b, value(&calls[i]), 'f', -1, 64)
	}
	return append(b, '}')
}

// EventsFromMessage are the events that a message of the log carries, as [Events] returns them; none of another kind.
func EventsFromMessage(m *schema.Message) []Event {
	out := make([]Event, len(m.Events))
	for i := range m.Events {
		e := &m.Events[i]
		out[i] = Event{
			Timestamp: schema.Timestamp(e.Wall), Host: m.Host, PID: int64(e.PID), Type: m.Kind.EventType(),
			ExitCode: pointer(e.ExitCode), Signal: pointer(e.Signal), Sheet: pointer(e.Sheet), Details: e.Details,
			PPID: pointer(e.PPID), UID: pointer(e.UID), Command: e.Command, StartTicks: int64(e.StartTicks), Core: e.Core,
			CPUSeconds: scaled(e.CPUMillis, 1000), SystemCPU: scaled(e.System, 1000), PeakRSS: scaled(e.PeakRSS, 1024), Read: scaled(e.ReadKiB, 1024), Write: scaled(e.WriteKiB, 1024),
			Lifetime: scaled(e.Lifetime, 1000), Source: e.Source, Within: scaled(e.Within, 1000),
		}
		if e.JobID != "" {
			out[i].JobID, out[i].Fleet = &e.JobID, e.Fleet
		}
	}
	return out
}

// ExecsFromMessage are the execs that a message of the log carries, as [DB.Execs] returns them; none of another kind.
func ExecsFromMessage(m *schema.Message) []Exec {
	execs := make([]Exec, len(m.Execs))
	for i := range m.Execs {
		e := &m.Execs[i]
		execs[i] = Exec{Timestamp: schema.Timestamp(e.Wall), Host: m.Host, PID: int64(e.PID), Type: execType, Sheet: pointer(e.Sheet),
			UID: pointer(e.UID), StartTicks: int64(e.StartTicks), Source: e.Source}
		if e.JobID != "" {
			execs[i].JobID, execs[i].Fleet = &e.JobID, e.Fleet
		}
		if e.Command != "" {
			execs[i].Command = &e.Command
		}
	}
	return execs
}

// GapsFromMessage are the gaps that a producer itself reports in a message; none of another kind.
func GapsFromMessage(m *schema.Message) []Gap {
	gaps := make([]Gap, len(m.Gaps))
	for i, g := range m.Gaps {
		from, to := schema.Timestamp(g.FromWall), schema.Timestamp(g.ToWall)
		gaps[i] = Gap{Timestamp: schema.Timestamp(m.Wall), Host: m.Host, Stream: schema.StreamEvents, Kind: g.Kind,
			Count: pointer(g.Count), From: &from, To: &to, Details: g.Details}
	}
	return gaps
}
