package schema

import "github.com/proctape/proctape/schema/metric"

func writePressure(w *writer, p *Pressure) {
	if p == nil {
		w.Nil()
		return
	}
	w.Array(5)
	for _, v := range [...]Opt[int64]{p.CPUSome, p.MemorySome, p.MemoryFull, p.IOSome, p.IOFull} {
		writeOpt(w, v)
	}
}

func writeHostValues(w *writer, h *HostValues) {
	values := [...]Opt[int64]{h.HugetlbTotal, h.HugetlbFree, h.GroupLimit, h.GroupUsed, h.GroupCPU, h.Forks}
	n := len(values)
	if !h.Forks.Known { // as messages were before there was a last one
		n--
	}
	w.Array(1 + n)
	writeList(w, h.Unknown, func(w *writer, v *HostValue) { w.String(string(*v)) })
	for _, v := range values[:n] {
		writeOpt(w, v)
	}
}

func writeJobProgress(w *writer, j *JobProgress) {
	w.Array(6)
	w.String(j.JobID)
	writeOpt(w, j.TotalSheets)
	writeOpt(w, j.LastCompleted)
	writeOpt(w, j.CurrentSheet)
	w.String(j.Status)
	w.Bool(j.Fleet)
}

func writeGPU(w *writer, g *GPU) {
	w.Array(5)
	w.Int(int64(g.Index))
	writeOpt(w, g.Utilization)
	writeOpt(w, g.MemoryUsed)
	writeOpt(w, g.MemoryTotal)
	writeOpt(w, g.Temperature)
}

func writeEvent(w *writer, e *Event) {
	n := 21 // as before there were the last two
	if e.Within.Known {
		n = 22
	}
	if e.System.Known {
		n = 23
	}
	w.Array(n)
	w.Int(e.Wall)
	w.Int(e.Boot)
	w.Int(int64(e.PID))
	writeOpt(w, e.PPID)
	w.Uint(e.StartTicks)
	writeOpt(w, e.UID)
	w.String(e.Command)
	w.String(e.JobID)
	writeOpt(w, e.Sheet)
	writeOpt(w, e.ExitCode)
	writeOpt(w, e.Signal)
	w.Bool(e.Core)
	writeOpt(w, e.CPUMillis)
	writeOpt(w, e.PeakRSS)
	writeOpt(w, e.ReadKiB)
	writeOpt(w, e.WriteKiB)
	writeOpt(w, e.Lifetime)
	w.String(e.Source)
	w.String(e.Details)
	writeOpt(w, e.SampledCPU)
	w.Bool(e.Fleet)
	for _, v := range []Opt[int64]{e.Within, e.System}[:n-21] {
		writeOpt(w, v)
	}
}

func writeExec(w *writer, e *Exec) {
	w.Array(10)
	w.Int(e.Wall)
	w.Int(e.Boot)
	w.Int(int64(e.PID))
	w.Uint(e.StartTicks)
	writeOpt(w, e.UID)
	w.String(e.Command)
	w.String(e.JobID)
	writeOpt(w, e.Sheet)
	w.String(e.Source)
	w.Bool(e.Fleet)
}

func writeGap(w *writer, g *Gap) {
	w.Array(5)
	w.String(string(g.Kind))
	writeOpt(w, g.Count)
	w.Int(g.FromWall)
	w.Int(g.ToWall)
	w.String(g.Details)
}

func writeJobEvent(w *writer, j *JobEvent) {
	w.Array(21)
	w.String(string(j.Type))
	w.Int(j.Wall)
	w.String(j.JobID)
	writeOpt(w, j.Sheet)
	writeOpt(w, j.TotalSheets)
	writeOpt(w, j.LastCompleted)
	w.String(j.Status)
	writeOpt(w, j.PID)
	w.Uint(j.StartTicks)
	writeOpt(w, j.ExitCode)
	w.String(j.Command)
	w.String(j.Details)
	w.Bool(j.Supervisor)
	w.Bool(j.OwnEvents)
	writeOpt(w, j.UID)
	writeRunID(w, j.Run)
	w.Bool(j.Join)
	writeOpt(w, j.Signal)
	writeTotals(w, j.Totals)
	w.Bool(j.Inferred)
	writeOpt(w, j.Since)
}

func writeTotals(w *writer, t *Totals) {
	if t == nil {
		w.Nil()
		return
	}
	if t.System.Known {
		w.Array(11)
	} else { // as before there was such a field
		w.Array(10)
	}
	writeOpt(w, t.CPUMicros)
	w.String(string(t.CPUSource))
	writeOpt(w, t.PeakRSS)
	w.String(string(t.PeakSource))
	writeOpt(w, t.GroupPeak)
	writeOpt(w, t.ReadKiB)
	writeOpt(w, t.WriteKiB)
	w.String(string(t.IOSource))
	writeOpt(w, t.PIDsPeak)
	writeOpt(w, t.Processes)
	if t.System.Known {
		writeOpt(w, t.System)
	}
}

func writeRunRecord(w *writer, v *RunRecord) {
	w.Array(18)
	w.String(v.JobID)
	writeRunID(w, v.Run)
	w.Int(v.Number)
	w.Int(v.Started)
	writeOpt(w, v.Ended)
	writeOpt(w, v.Since)
	w.Bool(v.Inferred)
	writeOpt(w, v.ExitCode)
	writeOpt(w, v.Signal)
	w.String(v.Details)
	w.String(v.Status)
	w.String(v.Command)
	writeOpt(w, v.TotalSheets)
	writeOpt(w, v.LastCompleted)
	w.Int(v.LastEvent)
	writeTotals(w, v.Totals)
	writeList(w, v.Steps, writeRunStep)
	w.Bool(v.LowerBound)
}

func writeRunStep(w *writer, s *RunStep) {
	w.Array(7)
	w.Int(s.Sheet)
	writeOpt(w, s.Started)
	writeOpt(w, s.Ended)
	writeOpt(w, s.ExitCode)
	writeOpt(w, s.Signal)
	w.String(s.Status)
	writeTotals(w, s.Totals)
}

// writeRunID appends an id; nil for none.
func writeRunID(w *writer, r RunID) {
	if r.IsZero() {
		w.Nil()
		return
	}
	w.Bytes(r[:])
}

func writeRollup(w *writer, r *Rollup) {
	w.Array(21)
	w.Int(r.Minute)
	w.Int(r.Samples)
	writeList(w, r.Covers, writeCover)
	w.Int(r.Interval)
	w.Int(int64(r.DaemonPID))
	w.Uint(r.DaemonRSS)
	w.Int(int64(r.CPUs))
	w.Uint(r.MemoryTotal)
	writeSpread(w, &r.MemoryUsed)
	writeSpread(w, &r.Load1)
	w.Int(r.Load5)
	w.Int(r.Load15)
	writeSpread(w, &r.CPU)
	w.Int(r.ProcessCount)
	w.Int(r.Zombies)
	w.String(r.PressureLevel)
	w.Int(r.RunningJobs)
	w.Int(r.ActiveSheets)
	w.Bool(r.Partial)
	writeList(w, r.GPUs, writeGPU)
	writeList(w, r.Processes, writeProcessRollup)
}

func writeCover(w *writer, c *Cover) {
	w.Array(3)
	w.Bytes(c.Instance[:])
	w.Uint(c.First)
	w.Uint(c.Last)
}

func writeSpread(w *writer, s *Spread) {
	w.Array(5)
	w.Int(s.Samples)
	w.Int(s.Sum)
	w.Int(s.Max)
	w.Int(s.P95)
	writeList(w, s.Top, func(w *writer, v *int64) { w.Int(*v) })
}

func writeProcessRollup(w *writer, p *ProcessRollup) {
	w.Array(13)
	w.Int(int64(p.PID))
	w.Int(int64(p.PPID))
	w.Uint(p.StartTicks)
	w.String(p.BootID)
	writeOpt(w, p.UID)
	w.String(p.Command)
	w.String(p.JobID)
	writeOpt(w, p.Sheet)
	w.Int(p.Samples)
	w.Int(p.LastBoot)
	w.Array(2 * len(metric.Spreads))
	for _, id := range metric.Spreads {
		w.Uint(uint64(id))
		writeSpread(w, p.Spread(id))
	}
	w.Array(2 * len(metric.Lasts))
	for _, id := range metric.Lasts {
		w.Uint(uint64(id))
		writeOpt(w, p.Last(id))
	}
	w.Bool(p.Fleet)
}
