package schema

import (
	"fmt"

	"github.com/proctape/proctape/schema/wire"
)

type msgpackCodec struct{}

// Append writes the envelope's fields and, last, the body.
func (msgpackCodec) Append(b []byte, m *Message) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return b, err
	}
	start := len(b)
	b = wire.AppendArray(b, 11)
	b = wire.AppendUint(b, uint64(m.Version))
	b = wire.AppendString(b, string(m.Kind))
	b = wire.AppendString(b, m.Host)
	b = wire.AppendString(b, m.BootID)
	b = wire.AppendBytes(b, m.Instance[:])
	b = wire.AppendUint(b, m.Seq)
	b = wire.AppendInt(b, m.Wall)
	b = wire.AppendInt(b, m.Boot)
	b = wire.AppendUint(b, m.Produced)
	b = wire.AppendArray(b, len(m.Dropped))
	for _, d := range m.Dropped {
		b = wire.AppendArray(b, 2)
		b = wire.AppendString(b, d.Reason)
		b = wire.AppendUint(b, d.Count)
	}
	b = appendBody(b, m)
	if n := len(b) - start; n > MaxMessage {
		return b[:start], fmt.Errorf("message of %d bytes, the limit is %d", n, MaxMessage)
	}
	return b, nil
}

func appendBody(b []byte, m *Message) []byte {
	switch m.Kind.Body() {
	case BodySnapshot:
		return appendSnapshot(b, m.Snapshot)
	case BodyEvents:
		return appendList(b, m.Events, appendEvent)
	case BodyExecs:
		return appendList(b, m.Execs, appendExec)
	case BodyGaps:
		return appendList(b, m.Gaps, appendGap)
	case BodyJobs:
		return appendList(b, m.Jobs, appendJobEvent)
	case BodyRollup:
		return appendRollup(b, m.Rollup)
	}
	return wire.AppendNil(b) // no such kind passes Validate
}

// appendList appends an array of records. Records are passed by pointer, so that none is copied.
func appendList[T any](b []byte, list []T, one func([]byte, *T) []byte) []byte {
	b = wire.AppendArray(b, len(list))
	for i := range list {
		b = one(b, &list[i])
	}
	return b
}

func appendOpt(b []byte, o Opt[int64]) []byte {
	if !o.Known {
		return wire.AppendNil(b)
	}
	return wire.AppendInt(b, o.V)
}

func appendCapability(b []byte, c *Capability) []byte { return wire.AppendString(b, string(*c)) }

func appendSnapshot(b []byte, s *Snapshot) []byte {
	b = wire.AppendArray(b, 19)
	b = wire.AppendInt(b, s.Interval)
	b = wire.AppendUint(b, s.Tick)
	b = wire.AppendInt(b, int64(s.DaemonPID))
	b = wire.AppendUint(b, s.DaemonRSS)
	b = wire.AppendInt(b, s.Uptime)
	b = wire.AppendInt(b, int64(s.CPUs))
	b = wire.AppendUint(b, s.MemoryTotal)
	b = wire.AppendUint(b, s.MemoryAvail)
	b = wire.AppendArray(b, len(s.Load))
	for _, l := range s.Load {
		b = wire.AppendInt(b, l)
	}
	b = appendPressure(b, s.Pressure)
	b = wire.AppendString(b, s.PressureLevel)
	b = wire.AppendBool(b, s.Partial)
	b = wire.AppendInt(b, int64(s.Hidden))
	b = appendList(b, s.Capabilities, appendCapability)
	b = wire.AppendInt(b, int64(s.RunningJobs))
	b = wire.AppendInt(b, int64(s.ActiveSheets))
	b = appendList(b, s.JobProgress, appendJobProgress)
	b = appendList(b, s.GPUs, appendGPU)
	b = wire.AppendArray(b, s.Processes.Len())
	for _, p := range s.Processes.Rows() {
		b = appendProcess(b, &p)
	}
	return b
}

func appendPressure(b []byte, p *Pressure) []byte {
	if p == nil {
		return wire.AppendNil(b)
	}
	b = wire.AppendArray(b, 5)
	for _, v := range [...]int64{p.CPUSome, p.MemorySome, p.MemoryFull, p.IOSome, p.IOFull} {
		b = wire.AppendInt(b, v)
	}
	return b
}

func appendJobProgress(b []byte, j *JobProgress) []byte {
	b = wire.AppendArray(b, 5)
	b = wire.AppendString(b, j.JobID)
	b = appendOpt(b, j.TotalSheets)
	b = appendOpt(b, j.LastCompleted)
	b = appendOpt(b, j.CurrentSheet)
	return wire.AppendString(b, j.Status)
}

func appendGPU(b []byte, g *GPU) []byte {
	b = wire.AppendArray(b, 5)
	b = wire.AppendInt(b, int64(g.Index))
	b = appendOpt(b, g.Utilization)
	b = appendOpt(b, g.MemoryUsed)
	b = appendOpt(b, g.MemoryTotal)
	return appendOpt(b, g.Temperature)
}

func appendProcess(b []byte, p *Process) []byte {
	b = wire.AppendArray(b, 19)
	b = wire.AppendInt(b, int64(p.PID))
	b = wire.AppendInt(b, int64(p.PPID))
	b = wire.AppendUint(b, p.StartTicks)
	b = wire.AppendString(b, p.State)
	b = appendOpt(b, p.CPUPermille)
	b = wire.AppendUint(b, p.CPUMillis)
	b = appendOpt(b, p.RSS)
	b = appendOpt(b, p.VMS)
	b = wire.AppendInt(b, int64(p.Threads))
	b = appendOpt(b, p.OpenFDs)
	b = appendOpt(b, p.UID)
	b = wire.AppendString(b, p.Command)
	b = wire.AppendString(b, p.JobID)
	b = appendOpt(b, p.Sheet)
	b = appendOpt(b, p.ReadKiB)
	b = appendOpt(b, p.WriteKiB)
	if len(p.Syscalls) == 0 {
		b = wire.AppendNil(b)
	} else {
		b = appendList(b, p.Syscalls, appendSyscall)
	}
	b = wire.AppendString(b, p.Cgroup)
	return appendOpt(b, p.GPUMemory)
}

func appendSyscall(b []byte, s *Syscall) []byte {
	b = wire.AppendArray(b, 3)
	b = wire.AppendString(b, s.Name)
	b = wire.AppendUint(b, s.Calls)
	return wire.AppendUint(b, s.TimeX100)
}

func appendEvent(b []byte, e *Event) []byte {
	b = wire.AppendArray(b, 20)
	b = wire.AppendInt(b, e.Wall)
	b = wire.AppendInt(b, e.Boot)
	b = wire.AppendInt(b, int64(e.PID))
	b = appendOpt(b, e.PPID)
	b = wire.AppendUint(b, e.StartTicks)
	b = appendOpt(b, e.UID)
	b = wire.AppendString(b, e.Command)
	b = wire.AppendString(b, e.JobID)
	b = appendOpt(b, e.Sheet)
	b = appendOpt(b, e.ExitCode)
	b = appendOpt(b, e.Signal)
	b = wire.AppendBool(b, e.Core)
	b = appendOpt(b, e.CPUMillis)
	b = appendOpt(b, e.PeakRSS)
	b = appendOpt(b, e.ReadKiB)
	b = appendOpt(b, e.WriteKiB)
	b = appendOpt(b, e.Lifetime)
	b = wire.AppendString(b, e.Source)
	b = wire.AppendString(b, e.Details)
	return appendOpt(b, e.SampledCPU)
}

func appendExec(b []byte, e *Exec) []byte {
	b = wire.AppendArray(b, 9)
	b = wire.AppendInt(b, e.Wall)
	b = wire.AppendInt(b, e.Boot)
	b = wire.AppendInt(b, int64(e.PID))
	b = wire.AppendUint(b, e.StartTicks)
	b = appendOpt(b, e.UID)
	b = wire.AppendString(b, e.Command)
	b = wire.AppendString(b, e.JobID)
	b = appendOpt(b, e.Sheet)
	return wire.AppendString(b, e.Source)
}

func appendGap(b []byte, g *Gap) []byte {
	b = wire.AppendArray(b, 5)
	b = wire.AppendString(b, string(g.Kind))
	b = appendOpt(b, g.Count)
	b = wire.AppendInt(b, g.FromWall)
	b = wire.AppendInt(b, g.ToWall)
	return wire.AppendString(b, g.Details)
}

func appendJobEvent(b []byte, j *JobEvent) []byte {
	b = wire.AppendArray(b, 14)
	b = wire.AppendString(b, string(j.Type))
	b = wire.AppendInt(b, j.Wall)
	b = wire.AppendString(b, j.JobID)
	b = appendOpt(b, j.Sheet)
	b = appendOpt(b, j.TotalSheets)
	b = appendOpt(b, j.LastCompleted)
	b = wire.AppendString(b, j.Status)
	b = appendOpt(b, j.PID)
	b = wire.AppendUint(b, j.StartTicks)
	b = appendOpt(b, j.ExitCode)
	b = wire.AppendString(b, j.Command)
	b = wire.AppendString(b, j.Details)
	b = wire.AppendBool(b, j.Supervisor)
	return wire.AppendBool(b, j.OwnEvents)
}

func appendRollup(b []byte, r *Rollup) []byte {
	b = wire.AppendArray(b, 21)
	b = wire.AppendInt(b, r.Minute)
	b = wire.AppendInt(b, r.Samples)
	b = appendList(b, r.Covers, appendCover)
	b = wire.AppendInt(b, r.Interval)
	b = wire.AppendInt(b, int64(r.DaemonPID))
	b = wire.AppendUint(b, r.DaemonRSS)
	b = wire.AppendInt(b, int64(r.CPUs))
	b = wire.AppendUint(b, r.MemoryTotal)
	b = appendSpread(b, &r.MemoryUsed)
	b = appendSpread(b, &r.Load1)
	b = wire.AppendInt(b, r.Load5)
	b = wire.AppendInt(b, r.Load15)
	b = appendSpread(b, &r.CPU)
	b = wire.AppendInt(b, r.ProcessCount)
	b = wire.AppendInt(b, r.Zombies)
	b = wire.AppendString(b, r.PressureLevel)
	b = wire.AppendInt(b, r.RunningJobs)
	b = wire.AppendInt(b, r.ActiveSheets)
	b = wire.AppendBool(b, r.Partial)
	b = appendList(b, r.GPUs, appendGPU)
	return appendList(b, r.Processes, appendProcessRollup)
}

func appendCover(b []byte, c *Cover) []byte {
	b = wire.AppendArray(b, 3)
	b = wire.AppendBytes(b, c.Instance[:])
	b = wire.AppendUint(b, c.First)
	return wire.AppendUint(b, c.Last)
}

func appendSpread(b []byte, s *Spread) []byte {
	b = wire.AppendArray(b, 5)
	b = wire.AppendInt(b, s.Samples)
	b = wire.AppendInt(b, s.Sum)
	b = wire.AppendInt(b, s.Max)
	b = wire.AppendInt(b, s.P95)
	return appendList(b, s.Top, func(b []byte, v *int64) []byte { return wire.AppendInt(b, *v) })
}

func appendProcessRollup(b []byte, p *ProcessRollup) []byte {
	b = wire.AppendArray(b, 17)
	b = wire.AppendInt(b, int64(p.PID))
	b = wire.AppendInt(b, int64(p.PPID))
	b = wire.AppendUint(b, p.StartTicks)
	b = wire.AppendString(b, p.BootID)
	b = appendOpt(b, p.UID)
	b = wire.AppendString(b, p.Command)
	b = wire.AppendString(b, p.JobID)
	b = appendOpt(b, p.Sheet)
	b = wire.AppendInt(b, p.Samples)
	b = appendSpread(b, &p.CPUPermille)
	b = appendSpread(b, &p.RSS)
	b = wire.AppendInt(b, p.LastBoot)
	b = wire.AppendString(b, p.State)
	b = appendOpt(b, p.VMS)
	b = wire.AppendInt(b, int64(p.Threads))
	b = appendOpt(b, p.OpenFDs)
	return wire.AppendUint(b, p.CPUMillis)
}
