package schema

import (
	"slices"

	"github.com/proctape/proctape/schema/metric"
	"github.com/proctape/proctape/schema/wire"
)

func readPressure(r *wire.Reader) *Pressure {
	if r.Nil() {
		return nil
	}
	p := new(Pressure)
	_, outer := r.Open(maxFields)
	for _, v := range [...]*Opt[int64]{&p.CPUSome, &p.MemorySome, &p.MemoryFull, &p.IOSome, &p.IOFull} {
		*v = readOpt(r)
	}
	r.Close(outer)
	return p
}

func readHostValues(r *wire.Reader, h *HostValues) {
	_, outer := r.Open(maxFields)
	h.Unknown = readList(r, maxList, 0, func(r *wire.Reader, v *HostValue) { *v = HostValue(r.String(MaxName)) })
	for _, v := range [...]*Opt[int64]{&h.HugetlbTotal, &h.HugetlbFree, &h.GroupLimit, &h.GroupUsed, &h.GroupCPU, &h.Forks} {
		*v = readOpt(r)
	}
	r.Close(outer)
}

func readJobProgress(r *wire.Reader, j *JobProgress) {
	_, outer := r.Open(maxFields)
	j.JobID = r.String(MaxName)
	j.TotalSheets = readOpt(r)
	j.LastCompleted = readOpt(r)
	j.CurrentSheet = readOpt(r)
	j.Status = r.String(MaxName)
	j.Fleet = r.Bool()
	r.Close(outer)
}

func readGPU(r *wire.Reader, g *GPU) {
	_, outer := r.Open(maxFields)
	g.Index = readInt(r)
	g.Utilization = readOpt(r)
	g.MemoryUsed = readOpt(r)
	g.MemoryTotal = readOpt(r)
	g.Temperature = readOpt(r)
	r.Close(outer)
}

func readEvent(r *wire.Reader, e *Event) {
	_, outer := r.Open(maxFields)
	e.Wall = r.Int()
	e.Boot = r.Int()
	e.PID = readInt(r)
	e.PPID = readOpt(r)
	e.StartTicks = r.Uint()
	e.UID = readOpt(r)
	e.Command = r.String(MaxCommand)
	e.JobID = r.String(MaxName)
	e.Sheet = readOpt(r)
	e.ExitCode = readOpt(r)
	e.Signal = readOpt(r)
	e.Core = r.Bool()
	e.CPUMillis = readOpt(r)
	e.PeakRSS = readOpt(r)
	e.ReadKiB = readOpt(r)
	e.WriteKiB = readOpt(r)
	e.Lifetime = readOpt(r)
	e.Source = r.String(MaxName)
	e.Details = r.String(MaxText)
	e.SampledCPU = readOpt(r)
	e.Fleet = r.Bool()
	e.Within = readOpt(r)
	e.System = readOpt(r)
	r.Close(outer)
}

func readExec(r *wire.Reader, e *Exec) {
	_, outer := r.Open(maxFields)
	e.Wall = r.Int()
	e.Boot = r.Int()
	e.PID = readInt(r)
	e.StartTicks = r.Uint()
	e.UID = readOpt(r)
	e.Command = r.String(MaxCommand)
	e.JobID = r.String(MaxName)
	e.Sheet = readOpt(r)
	e.Source = r.String(MaxName)
	e.Fleet = r.Bool()
	r.Close(outer)
}

func readGap(r *wire.Reader, g *Gap) {
	_, outer := r.Open(maxFields)
	g.Kind = GapKind(r.String(MaxName))
	g.Count = readOpt(r)
	g.FromWall = r.Int()
	g.ToWall = r.Int()
	g.Details = r.String(MaxText)
	r.Close(outer)
}

func readJobEvent(r *wire.Reader, j *JobEvent) {
	_, outer := r.Open(maxFields)
	j.Type = JobEventType(r.String(MaxName))
	j.Wall = r.Int()
	j.JobID = r.String(MaxName)
	j.Sheet = readOpt(r)
	j.TotalSheets = readOpt(r)
	j.LastCompleted = readOpt(r)
	j.Status = r.String(MaxName)
	j.PID = readOpt(r)
	j.StartTicks = r.Uint()
	j.ExitCode = readOpt(r)
	j.Command = r.String(MaxCommand)
	j.Details = r.String(MaxText)
	j.Supervisor = r.Bool()
	j.OwnEvents = r.Bool()
	j.UID = readOpt(r)
	readRunID(r, &j.Run)
	j.Join = r.Bool()
	j.Signal = readOpt(r)
	j.Totals = readTotals(r)
	j.Inferred = r.Bool()
	j.Since = readOpt(r)
	r.Close(outer)
}

func readTotals(r *wire.Reader) *Totals {
	if r.Nil() {
		return nil
	}
	t := new(Totals)
	_, outer := r.Open(maxFields)
	t.CPUMicros = readOpt(r)
	t.CPUSource = TotalSource(r.String(MaxName))
	t.PeakRSS = readOpt(r)
	t.PeakSource = TotalSource(r.String(MaxName))
	t.GroupPeak = readOpt(r)
	t.ReadKiB = readOpt(r)
	t.WriteKiB = readOpt(r)
	t.IOSource = TotalSource(r.String(MaxName))
	t.PIDsPeak = readOpt(r)
	t.Processes = readOpt(r)
	t.System = readOpt(r)
	r.Close(outer)
	return t
}

func readRunRecord(r *wire.Reader) *RunRecord {
	v := new(RunRecord)
	_, outer := r.Open(maxFields)
	v.JobID = r.String(MaxName)
	readRunID(r, &v.Run)
	v.Number = r.Int()
	v.Started = r.Int()
	v.Ended = readOpt(r)
	v.Since = readOpt(r)
	v.Inferred = r.Bool()
	v.ExitCode = readOpt(r)
	v.Signal = readOpt(r)
	v.Details = r.String(MaxText)
	v.Status = r.String(MaxName)
	v.Command = r.String(MaxCommand)
	v.TotalSheets = readOpt(r)
	v.LastCompleted = readOpt(r)
	v.LastEvent = r.Int()
	v.Totals = readTotals(r)
	v.Steps = readList(r, MaxSteps, 7, readRunStep)
	v.LowerBound = r.Bool()
	r.Close(outer)
	return v
}

func readRunStep(r *wire.Reader, s *RunStep) {
	_, outer := r.Open(maxFields)
	s.Sheet = r.Int()
	s.Started = readOpt(r)
	s.Ended = readOpt(r)
	s.ExitCode = readOpt(r)
	s.Signal = readOpt(r)
	s.Status = r.String(MaxName)
	s.Totals = readTotals(r)
	r.Close(outer)
}

func readRollup(r *wire.Reader) *Rollup {
	u := new(Rollup)
	_, outer := r.Open(maxFields)
	u.Minute = r.Int()
	u.Samples = r.Int()
	u.Covers = readList(r, maxList, 19, readCover)
	u.Interval = r.Int()
	u.DaemonPID = readInt(r)
	u.DaemonRSS = r.Uint()
	u.CPUs = readInt(r)
	u.MemoryTotal = r.Uint()
	u.MemoryUsed = readSpread(r)
	u.Load1 = readSpread(r)
	u.Load5 = r.Int()
	u.Load15 = r.Int()
	u.CPU = readSpread(r)
	u.ProcessCount = r.Int()
	u.Zombies = r.Int()
	u.PressureLevel = r.String(MaxName)
	u.RunningJobs = r.Int()
	u.ActiveSheets = r.Int()
	u.Partial = r.Bool()
	u.GPUs = readList(r, maxList, 5, readGPU)
	u.Processes = readList(r, MaxProcesses, 17, readProcessRollup)
	r.Close(outer)
	return u
}

func readCover(r *wire.Reader, c *Cover) {
	_, outer := r.Open(maxFields)
	readInstance(r, &c.Instance)
	c.First = r.Uint()
	c.Last = r.Uint()
	r.Close(outer)
}

func readSpread(r *wire.Reader) (s Spread) {
	_, outer := r.Open(maxFields)
	s.Samples = r.Int()
	s.Sum = r.Int()
	s.Max = r.Int()
	s.P95 = r.Int()
	s.Top = readList(r, MaxTop, 1, func(r *wire.Reader, v *int64) { *v = r.Int() })
	r.Close(outer)
	return s
}

func readProcessRollup(r *wire.Reader, p *ProcessRollup) {
	_, outer := r.Open(maxFields)
	p.PID = readInt(r)
	p.PPID = readInt(r)
	p.StartTicks = r.Uint()
	p.BootID = r.String(MaxName)
	p.UID = readOpt(r)
	p.Command = r.String(MaxCommand)
	p.JobID = r.String(MaxName)
	p.Sheet = readOpt(r)
	p.Samples = r.Int()
	p.LastBoot = r.Int()
	readByMetric(r, metric.Spreads, func(id metric.ID) { *p.Spread(id) = readSpread(r) })
	readByMetric(r, metric.Lasts, func(id metric.ID) { p.SetLast(id, readOpt(r)) })
	p.Fleet = r.Bool()
	r.Close(outer)
}

// readByMetric reads a list of metrics' numbers, each followed by its value. Metrics of a later version are passed over.
func readByMetric(r *wire.Reader, ids []metric.ID, read func(metric.ID)) {
	n, outer := r.Open(2 * maxFields)
	for range n / 2 {
		id := r.Uint()
		if id < uint64(metric.Count) && slices.Contains(ids, metric.ID(id)) {
			read(metric.ID(id))
		} else {
			r.Skip()
		}
	}
	r.Close(outer)
}

func readRunID(r *wire.Reader, id *RunID) {
	if r.Nil() {
		return
	}
	switch b := r.Bytes(len(id)); len(b) {
	case 0:
	case len(id):
		*id = RunID(b)
	default:
		r.Fail("a run of %d bytes, want %d", len(b), len(id))
	}
}

func readInstance(r *wire.Reader, i *Instance) {
	switch b := r.Bytes(len(i)); len(b) {
	case 0:
	case len(i):
		*i = Instance(b)
	default:
		r.Fail("an instance of %d bytes, want %d", len(b), len(i))
	}
}
