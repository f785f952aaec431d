package schema

import (
	"strings"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema/metric"
)

// Generators of valid messages, of every kind and with every value at its extremes.

func genText(limit int) *rapid.Generator[string] {
	char := rapid.Rune().Filter(func(r rune) bool { return r != 0 })
	return rapid.OneOf(
		rapid.Just(""),
		rapid.StringOfN(char, 0, 40, limit),
		rapid.SampledFrom([]string{"/usr/bin/true --flag", "<a href=\"&\">\\", "\u2028\x7f\x01", "größe …"}).
			Filter(func(s string) bool { return len(s) <= limit }),
		rapid.Just(strings.Repeat("x", limit)),
	)
}

// in draws numbers within a bound, and those at its ends.
func in(b bound) *rapid.Generator[int64] {
	return rapid.OneOf(rapid.SampledFrom([]int64{b.low, b.high, min(max(b.low, 1), b.high)}), rapid.Int64Range(b.low, b.high))
}

// optIn draws numbers within a bound that may be unknown.
func optIn(b bound) *rapid.Generator[Opt[int64]] {
	return rapid.Custom(func(t *rapid.T) (o Opt[int64]) {
		if o.Known = rapid.Bool().Draw(t, "known"); o.Known {
			o.V = in(b).Draw(t, "value")
		}
		return o
	})
}

func notEmpty(s string) bool { return s != "" }

var (
	genUint = rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, maxNumber}), rapid.Uint64Range(0, maxNumber))
	genWall = in(boundWall)
	genBoot = rapid.OneOf(rapid.SampledFrom([]int64{0, maxLife}), rapid.Int64Range(maxLife/8, maxLife)) // long enough for any CPU
	genPID  = rapid.IntRange(0, 1<<22-1)
	genName = genText(MaxName)
	genCmd  = genText(MaxCommand)
	genLong = genText(MaxText)
	genSize = rapid.Custom(func(t *rapid.T) (o Opt[int64]) {
		if o.Known = rapid.Bool().Draw(t, "known"); o.Known {
			o.V = rapid.Int64Range(0, 1<<31).Draw(t, "value")
		}
		return o
	})
	genSpread = rapid.Custom(func(t *rapid.T) Spread {
		return Spread{rapid.Int64Range(0, 1000).Draw(t, "samples"), in(boundSum).Draw(t, "sum"), in(boundValue).Draw(t, "max"), in(boundValue).Draw(t, "p95"),
			rapid.SliceOfN(in(boundValue), 0, 4).Filter(func(v []int64) bool { return v == nil || len(v) > 0 }).Draw(t, "top")}
	})
)

var genEnvelope = rapid.Custom(func(t *rapid.T) Envelope {
	host := rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Filter(func(s string) bool { return s != Fleet })
	e := Envelope{
		Version: Version, Host: host.Draw(t, "host"), BootID: genText(64).Filter(notEmpty).Draw(t, "boot id"),
		Seq: rapid.Uint64Range(1, maxNumber).Draw(t, "seq"), Wall: genWall.Draw(t, "wall"),
		Boot: genBoot.Draw(t, "boot"), Produced: genUint.Draw(t, "produced"),
	}
	copy(e.Instance[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "instance"))
	e.Instance[0] |= 1
	e.Dropped = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Drop {
		return Drop{genName.Draw(t, "reason"), genUint.Draw(t, "count")}
	}), 0, 3).Draw(t, "dropped")
	e.Acked = genUint.Draw(t, "acked")
	e.Ended = rapid.SliceOfN(genEnd, 0, 2).Draw(t, "ended")
	e.Began = rapid.OneOf(rapid.Just[int64](0), genBoot).Draw(t, "began")
	return e
})

var genEnd = rapid.Custom(func(t *rapid.T) End {
	e := End{BootID: genText(64).Filter(notEmpty).Draw(t, "boot id"), Wall: genWall.Draw(t, "wall"), Boot: genBoot.Draw(t, "boot"),
		Final: rapid.Bool().Draw(t, "final"), Produced: genUint.Draw(t, "produced"), Acked: genUint.Draw(t, "acked")}
	copy(e.Instance[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "instance"))
	e.Instance[0] |= 1
	e.Reached = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Reached {
		return Reached{Kind(genName.Draw(t, "kind")), genUint.Draw(t, "number")}
	}), 1, 3).Draw(t, "reached")
	return e
})

var genSyscall = rapid.Custom(func(t *rapid.T) Syscall {
	return Syscall{"c" + strings.Repeat("x", rapid.IntRange(0, 3).Draw(t, "name")), genUint.Draw(t, "calls"), uint64(in(boundShare).Draw(t, "time"))}
})

// genProcess makes a process with every number up to its limit.
var genProcess = rapid.Custom(func(t *rapid.T) Process {
	p := Process{
		Command: genCmd.Draw(t, "command"), JobID: genName.Draw(t, "job"), Cgroup: genCmd.Draw(t, "cgroup"),
		Syscalls: rapid.SliceOfN(genSyscall, 0, 3).Filter(func(c []Syscall) bool { return c == nil || len(c) > 0 }).Draw(t, "syscalls"),
	}
	for _, id := range metric.Numbers {
		m := &metric.Table[id]
		lowest := int64(0)
		if m.MayBeUnknown() {
			lowest = unknown
		}
		p.SetNumber(id, optNumber(rapid.OneOf(rapid.SampledFrom([]int64{lowest, 0, m.Limit}), rapid.Int64Range(lowest, m.Limit)).Draw(t, m.Name)))
	}
	p.State = rapid.SampledFrom([]string{"R", "S", "D", "Z", "T", "t", "I", "X"}).Draw(t, "state")
	return p
})

var genSnapshot = rapid.Custom(func(t *rapid.T) *Snapshot {
	s := &Snapshot{
		Interval: in(boundPeriod).Draw(t, "interval"), Tick: genUint.Draw(t, "tick"), DaemonPID: int(in(boundPID).Draw(t, "daemon")),
		DaemonRSS: uint64(in(boundKiB).Draw(t, "daemon rss")), Uptime: in(boundBoot).Draw(t, "uptime"), CPUs: int(in(boundCPUs).Draw(t, "cpus")),
		MemoryTotal: uint64(in(boundKiB).Draw(t, "memory")), MemoryAvail: uint64(in(boundKiB).Draw(t, "available")),
		Load:          [3]int64{in(boundLoad).Draw(t, "load 1"), in(boundLoad).Draw(t, "load 5"), in(boundLoad).Draw(t, "load 15")},
		PressureLevel: genName.Draw(t, "level"), Partial: rapid.Bool().Draw(t, "partial"), Hidden: int(in(boundPID).Draw(t, "hidden")),
		Capabilities: rapid.SliceOfN(rapid.Map(genName, func(s string) Capability { return Capability(s) }), 0, 3).Draw(t, "capabilities"),
		RunningJobs:  int(in(boundStep).Draw(t, "jobs")), ActiveSheets: int(in(boundStep).Draw(t, "sheets")),
		JobProgress: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) JobProgress {
			return JobProgress{genName.Draw(t, "job"), optIn(boundStep).Draw(t, "total"), optIn(boundStep).Draw(t, "last"), optIn(boundStep).Draw(t, "current"), genName.Draw(t, "status"), rapid.Bool().Draw(t, "fleet")}
		}), 0, 2).Draw(t, "progress"),
		GPUs: rapid.SliceOfN(genGPU, 0, 3).Draw(t, "gpus"), HostValues: genHostValues.Draw(t, "host values"),
	}
	if rapid.Bool().Draw(t, "pressure") {
		stalled := optIn(boundPressure)
		s.Pressure = &Pressure{stalled.Draw(t, "a"), stalled.Draw(t, "b"), stalled.Draw(t, "c"), stalled.Draw(t, "d"), stalled.Draw(t, "e")}
	}
	pid := 0
	for _, p := range rapid.SliceOfN(genProcess, 0, 5).Draw(t, "processes") {
		pid += rapid.IntRange(1, 1<<19).Draw(t, "pid step")
		p.PID = pid
		s.Processes.Append(&p)
	}
	return s
})

var genHostValues = rapid.Custom(func(t *rapid.T) HostValues {
	return HostValues{
		Unknown:      rapid.SliceOfN(rapid.SampledFrom([]HostValue{HostMemoryTotal, HostMemoryAvail, HostLoad, HostCPUs, "other"}), 0, 3).Draw(t, "unknown"),
		HugetlbTotal: optIn(boundKiB).Draw(t, "huge"), HugetlbFree: optIn(boundKiB).Draw(t, "free"),
		GroupLimit: optIn(boundKiB).Draw(t, "limit"), GroupUsed: optIn(boundKiB).Draw(t, "used"), GroupCPU: optIn(boundCPUShare).Draw(t, "cpu"), Forks: optIn(boundGrowing).Draw(t, "forks"),
	}
})

var genEvent = rapid.Custom(func(t *rapid.T) Event {
	return Event{
		Wall: genWall.Draw(t, "wall"), Boot: in(boundBoot).Draw(t, "boot"), PID: genPID.Draw(t, "pid"), PPID: optIn(boundPID).Draw(t, "ppid"),
		StartTicks: uint64(in(boundTicks).Draw(t, "start")), UID: optIn(boundUID).Draw(t, "uid"), Command: genCmd.Draw(t, "command"), JobID: genName.Draw(t, "job"),
		Sheet: optIn(boundStep).Draw(t, "sheet"), ExitCode: optIn(boundExit).Draw(t, "exit"), Signal: optIn(boundSignal).Draw(t, "signal"), Core: rapid.Bool().Draw(t, "core"),
		CPUMillis: optIn(boundGrowing).Draw(t, "cpu"), PeakRSS: optIn(boundKiB).Draw(t, "peak"), ReadKiB: optIn(boundGrowing).Draw(t, "read"), WriteKiB: optIn(boundGrowing).Draw(t, "write"),
		Lifetime: optIn(boundMillis).Draw(t, "lifetime"), Within: optIn(boundMillis).Draw(t, "within"), Source: genName.Draw(t, "source"), Details: genLong.Draw(t, "details"), SampledCPU: optIn(boundGrowing).Draw(t, "sampled"), System: optIn(boundGrowing).Draw(t, "system"),
		Fleet: rapid.Bool().Draw(t, "fleet"),
	}
})

var genExec = rapid.Custom(func(t *rapid.T) Exec {
	return Exec{Wall: genWall.Draw(t, "wall"), Boot: genBoot.Draw(t, "boot"), PID: genPID.Draw(t, "pid"), StartTicks: uint64(in(boundTicks).Draw(t, "start")),
		UID: optIn(boundUID).Draw(t, "uid"), Command: genCmd.Draw(t, "command"), JobID: genName.Draw(t, "job"), Sheet: optIn(boundStep).Draw(t, "sheet"),
		Source: genName.Draw(t, "source"), Fleet: rapid.Bool().Draw(t, "fleet")}
})

var genGap = rapid.Custom(func(t *rapid.T) Gap {
	return Gap{GapKind(rapid.StringMatching(`[a-z0-9_]{1,64}`).Draw(t, "kind")), optIn(boundCount).Draw(t, "count"), in(boundAnyWall).Draw(t, "from"), genWall.Draw(t, "to"), genLong.Draw(t, "details")}
})

var genJobEvent = rapid.Custom(func(t *rapid.T) JobEvent {
	types := []JobEventType{JobDeclared, JobSheetStarted, JobSheetEnded, JobProgressed, JobEnded}
	return JobEvent{
		Type: rapid.SampledFrom(types).Draw(t, "type"), Wall: genWall.Draw(t, "wall"),
		JobID: genName.Filter(notEmpty).Draw(t, "job"), Sheet: optIn(boundStep).Draw(t, "sheet"),
		TotalSheets: optIn(boundStep).Draw(t, "total"), LastCompleted: optIn(boundStep).Draw(t, "last"), Status: genName.Draw(t, "status"), PID: optIn(boundPID).Draw(t, "pid"),
		StartTicks: uint64(in(boundTicks).Draw(t, "start")), ExitCode: optIn(boundExit).Draw(t, "exit"), Command: genCmd.Draw(t, "command"), Details: genLong.Draw(t, "details"),
		Supervisor: rapid.Bool().Draw(t, "supervisor"), OwnEvents: rapid.Bool().Draw(t, "own events"),
		UID: rapid.SampledFrom([]Opt[int64]{{}, Some[int64](0), Some[int64](1<<32 - 1)}).Draw(t, "uid"),
		Run: RunID(genEnvelope.Draw(t, "run").Instance), Join: rapid.Bool().Draw(t, "join"), Signal: optIn(boundSignal).Draw(t, "signal"),
		Totals:   rapid.SampledFrom([]*Totals{nil, genTotals.Draw(t, "totals")}).Draw(t, "some totals"),
		Inferred: rapid.Bool().Draw(t, "inferred"), Since: optIn(boundWall).Draw(t, "since"),
	}
})

var genTotals = rapid.Custom(func(t *rapid.T) *Totals {
	source := rapid.SampledFrom([]TotalSource{FromGroup, FromWait, FromExits, FromSamples, FromNowhere})
	return &Totals{CPUMicros: optIn(boundTotal).Draw(t, "cpu"), CPUSource: source.Draw(t, "cpu source"),
		PeakRSS: optIn(boundKiB).Draw(t, "peak"), PeakSource: source.Draw(t, "peak source"), GroupPeak: optIn(boundKiB).Draw(t, "group"),
		ReadKiB: optIn(boundTotal).Draw(t, "read"), WriteKiB: optIn(boundTotal).Draw(t, "written"), IOSource: source.Draw(t, "io source"),
		PIDsPeak: optIn(boundPID).Draw(t, "pids"), Processes: optIn(boundCount).Draw(t, "processes"),
		System: optIn(boundTotal).Draw(t, "system")}
})

var genRecord = rapid.Custom(func(t *rapid.T) *RunRecord {
	run := RunID(genEnvelope.Draw(t, "run").Instance)
	r := &RunRecord{JobID: "j" + genText(40).Draw(t, "job"), Run: run, Number: 1 + in(boundCount).Draw(t, "number")/2, Started: in(boundWall).Draw(t, "started"),
		Ended: optIn(boundAnyWall).Draw(t, "ended"), Since: optIn(boundAnyWall).Draw(t, "since"), Inferred: rapid.Bool().Draw(t, "inferred"),
		ExitCode: optIn(boundJobExit).Draw(t, "exit"), Signal: optIn(boundSignal).Draw(t, "signal"), Details: genText(50).Draw(t, "details"),
		Status: genName.Draw(t, "status"), Command: genCmd.Draw(t, "command"), TotalSheets: optIn(boundStep).Draw(t, "sheets"),
		LastCompleted: optIn(boundStep).Draw(t, "last"), LastEvent: in(boundWall).Draw(t, "last event")}
	r.LowerBound = rapid.Bool().Draw(t, "lower bound")
	if r.Ended.Known {
		r.Totals = genTotals.Draw(t, "totals")
	}
	r.Steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) RunStep {
		return RunStep{in(boundStep).Draw(t, "sheet"), optIn(boundAnyWall).Draw(t, "started"), optIn(boundAnyWall).Draw(t, "ended"),
			optIn(boundJobExit).Draw(t, "exit"), optIn(boundSignal).Draw(t, "signal"), genName.Draw(t, "status"), genTotals.Draw(t, "totals")}
	}), 0, 3).Draw(t, "steps")
	return r
})

var genGPU = rapid.Custom(func(t *rapid.T) GPU {
	return GPU{int(in(boundGPU).Draw(t, "index")), optIn(boundBusy).Draw(t, "utilization"), optIn(boundKiB).Draw(t, "used"), optIn(boundKiB).Draw(t, "total"), optIn(boundHeat).Draw(t, "temperature")}
})

var genRollup = rapid.Custom(func(t *rapid.T) *Rollup {
	return &Rollup{
		Minute: in(boundMinute).Draw(t, "minute"), Samples: 1 + in(boundSamples).Draw(t, "samples")/2,
		Covers: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Cover {
			first := rapid.Uint64Range(1, 1<<40).Draw(t, "first")
			return Cover{genEnvelope.Draw(t, "instance").Instance, first, first + rapid.Uint64Range(0, 100).Draw(t, "more")}
		}), 1, 3).Draw(t, "covers"),
		Interval: in(boundPeriod).Draw(t, "interval"), DaemonPID: int(in(boundPID).Draw(t, "daemon")), DaemonRSS: uint64(in(boundKiB).Draw(t, "daemon rss")),
		CPUs: int(in(boundCPUs).Draw(t, "cpus")), MemoryTotal: uint64(in(boundKiB).Draw(t, "total")), MemoryUsed: genSpread.Draw(t, "used"),
		Load1: genSpread.Draw(t, "load"), Load5: in(boundLoad).Draw(t, "load5"), Load15: in(boundLoad).Draw(t, "load15"), CPU: genSpread.Draw(t, "cpu"),
		ProcessCount: in(boundPID).Draw(t, "count"), Zombies: in(boundPID).Draw(t, "zombies"), PressureLevel: genName.Draw(t, "pressure"),
		RunningJobs: in(boundStep).Draw(t, "jobs"), ActiveSheets: in(boundStep).Draw(t, "sheets"), Partial: rapid.Bool().Draw(t, "partial"),
		GPUs: rapid.SliceOfN(genGPU, 0, 3).Draw(t, "gpus"),
		Processes: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ProcessRollup {
			return ProcessRollup{
				PID: genPID.Draw(t, "pid"), PPID: int(in(boundPID).Draw(t, "ppid")), StartTicks: uint64(in(boundTicks).Draw(t, "start")), BootID: genText(64).Draw(t, "boot id"),
				UID: optIn(boundUID).Draw(t, "uid"), Command: genCmd.Draw(t, "command"), JobID: genName.Draw(t, "job"), Sheet: optIn(boundStep).Draw(t, "sheet"),
				Samples: in(boundSamples).Draw(t, "samples"), CPUPermille: genSpread.Draw(t, "cpu"), RSS: genSpread.Draw(t, "rss"),
				LastBoot: in(boundBoot).Draw(t, "last"), Fleet: rapid.Bool().Draw(t, "fleet"), State: "R", VMS: genSize.Draw(t, "vms"),
				CPUMillis: rapid.Uint64Range(0, 1<<50).Draw(t, "cpu ms"), Threads: rapid.IntRange(0, 1<<20).Draw(t, "threads"), OpenFDs: genSize.Draw(t, "fds"),
			}
		}), 0, 4).Draw(t, "processes"),
	}
})

var genMessage = rapid.Custom(func(t *rapid.T) *Message {
	m := &Message{Envelope: genEnvelope.Draw(t, "envelope")}
	m.Kind = rapid.SampledFrom(kinds[:]).Draw(t, "kind").Kind
	switch m.Kind {
	case KindSnapshot:
		m.Snapshot = genSnapshot.Draw(t, "snapshot")
	case KindExec:
		m.Execs = rapid.SliceOfN(genExec, 1, 4).Draw(t, "execs")
	case KindGap:
		m.Gaps = rapid.SliceOfN(genGap, 1, 4).Draw(t, "gaps")
	case KindJob:
		m.Jobs = rapid.SliceOfN(genJobEvent, 1, 4).Draw(t, "jobs")
	case KindRollup:
		m.Rollup = genRollup.Draw(t, "rollup")
	case KindRun:
		m.Run = genRecord.Draw(t, "run")
	case KindAnomaly:
		m.Anomaly = genAnomaly.Draw(t, "anomaly")
	default:
		m.Events = rapid.SliceOfN(genEvent, 1, 4).Draw(t, "events")
	}
	return m
})

var genAnomaly = rapid.Custom(func(t *rapid.T) *Anomaly {
	a := &Anomaly{Rule: rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "rule"), Digest: genName.Draw(t, "digest"), Severity: rapid.SampledFrom(Severities).Draw(t, "severity"),
		About: AnomalySubject{Kind: rapid.SampledFrom(SubjectKinds).Draw(t, "about"), PID: in(boundPID).Draw(t, "pid"), StartTicks: uint64(in(boundTicks).Draw(t, "start")),
			Command: genCmd.Draw(t, "command"), Cgroup: genName.Draw(t, "cgroup"), JobID: genName.Draw(t, "job"), Fleet: rapid.Bool().Draw(t, "fleet"),
			Sheet: optIn(boundStep).Draw(t, "sheet"), GPU: optIn(boundGPU).Draw(t, "gpu")},
		Started: in(boundWall).Draw(t, "started"), Noticed: in(boundWall).Draw(t, "noticed"), Peaked: in(boundWall).Draw(t, "peaked"),
		LastSeen: in(boundWall).Draw(t, "last seen"), Ended: optIn(boundAnyWall).Draw(t, "ended"), Metric: genName.Draw(t, "metric"),
		First: optIn(boundAnomaly).Draw(t, "first"), Peak: optIn(boundAnomaly).Draw(t, "peak"), Last: optIn(boundAnomaly).Draw(t, "last"),
		Threshold: optIn(boundAnomaly).Draw(t, "threshold"), Samples: in(boundCount).Draw(t, "samples"), Description: genName.Draw(t, "description"),
		Values: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) AnomalyValue {
			return AnomalyValue{genName.Draw(t, "name"), in(boundAnomaly).Draw(t, "value")}
		}), 0, 3).Draw(t, "values"),
		Labels: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) AnomalyLabel {
			return AnomalyLabel{genName.Draw(t, "name"), genName.Draw(t, "value")}
		}), 0, 3).Draw(t, "labels")}
	if a.Ended.Known {
		a.EndReason = rapid.SampledFrom(EndReasons).Draw(t, "reason")
	}
	return a
})
