package schema

import (
	"errors"
	"fmt"
	"time"

	"github.com/proctape/proctape/schema/metric"
)

// Validate checks what no encoding can: that the body belongs to the kind, and that the tables can hold every value. Both
// codecs call it when they write and when they read, so that what was written can be read.
func (m *Message) Validate() error { return m.validate(allColumns) }

func (m *Message) validate(columns columnChecks) error {
	if m.Version != Version {
		return fmt.Errorf("%w %d, this build knows %d", ErrVersion, m.Version, Version)
	}
	if err := m.validateEnvelope(); err != nil {
		return err
	}
	if err := m.validateBody(columns); err != nil {
		return fmt.Errorf("%s: %w", m.Kind, err)
	}
	return nil
}

func (m *Message) validateEnvelope() error {
	switch {
	case !ValidHost(m.Host):
		return fmt.Errorf("host %.80q is no host token: want 1 to 64 of A-Z a-z 0-9 _ -", m.Host)
	case m.Host == Fleet && m.Kind != KindJob && m.Kind != KindRun && m.Kind.Body() != BodyAnomaly:
		return fmt.Errorf("a message of kind %s for the fleet: no host is called %s, and only job events, runs and anomalies are the fleet's", m.Kind, Fleet)
	case m.Instance == Instance{}:
		return errors.New("no instance")
	case m.Seq == 0 || m.Seq > maxNumber:
		return fmt.Errorf("seq %d is out of range: want 1 to %d", m.Seq, maxNumber)
	case m.BootID == "":
		return errors.New("no boot id")
	}
	return errors.Join(boundWall.check("wall_ns", m.Wall), boundBoot.check("boot_ns", m.Boot), boundBoot.check("began_ns", m.Began),
		boundCount.checkUnsigned("produced", m.Produced), boundCount.checkUnsigned("acked", m.Acked),
		text("boot id", m.BootID, 64), eachOf("drop count", m.Dropped, maxList, (*Drop).validate),
		eachOf("life that ended", m.Ended, MaxEnds, (*End).Validate))
}

func (m *Message) validateBody(columns columnChecks) error {
	body := m.Kind.Body()
	if body == 0 {
		return errors.New("no such kind")
	}
	present := [...]bool{BodySnapshot: m.Snapshot != nil, BodyEvents: m.Events != nil, BodyExecs: m.Execs != nil,
		BodyGaps: m.Gaps != nil, BodyJobs: m.Jobs != nil, BodyRollup: m.Rollup != nil,
		BodyRun: m.Run != nil, BodyAnomaly: m.Anomaly != nil}
	bodies := 0
	for _, p := range present {
		if p {
			bodies++
		}
	}
	switch {
	case body == BodyGaps && len(m.Gaps) == 0 && len(m.Ended) > 0 && bodies <= 1 && present[body] == (bodies == 1):
		return nil // it tells of lives that ended, and of nothing else
	case bodies != 1:
		return fmt.Errorf("%d bodies, want one", bodies)
	case !present[body]:
		return errors.New("the body is not the kind's")
	}
	switch body {
	case BodySnapshot:
		return errors.Join(m.Snapshot.validate(columns), checkCPU(&m.Snapshot.Processes, m.Boot))
	case BodyEvents:
		return each("event", m.Events, MaxEvents, (*Event).validate)
	case BodyExecs:
		return each("exec", m.Execs, MaxEvents, (*Exec).validate)
	case BodyGaps:
		return each("gap", m.Gaps, MaxEvents, (*Gap).validate)
	case BodyJobs:
		return each("job event", m.Jobs, MaxEvents, (*JobEvent).validate)
	case BodyRollup:
		return m.Rollup.validate()
	case BodyRun:
		return m.Run.validate()
	case BodyAnomaly:
		return m.Anomaly.validate()
	}
	return errors.New("nothing checks this body")
}

func (s *Snapshot) validate(columns columnChecks) error {
	err := errors.Join(s.validateHost(),
		text("pressure level", s.PressureLevel, MaxName),
		eachOf("capability", s.Capabilities, maxList, func(c *Capability) error { return text("name", string(*c), MaxName) }),
		eachOf("job progress", s.JobProgress, maxList, (*JobProgress).validate),
		eachOf("gpu", s.GPUs, maxList, (*GPU).validate),
		s.HostValues.validate(),
	)
	if err != nil {
		return err
	}
	return validateProcesses(&s.Processes, columns)
}

// validateHost checks the numbers of the host and of its sampler.
func (s *Snapshot) validateHost() error {
	return errors.Join(boundPeriod.check("interval_ns", s.Interval), boundCount.checkUnsigned("tick", s.Tick),
		boundPID.check("daemon_pid", int64(s.DaemonPID)), boundKiB.checkUnsigned("daemon_rss_kib", s.DaemonRSS),
		boundBoot.check("recorder_uptime_ns", s.Uptime), boundCPUs.check("cpus", int64(s.CPUs)),
		boundKiB.checkUnsigned("memory_total_kib", s.MemoryTotal), boundKiB.checkUnsigned("memory_available_kib", s.MemoryAvail),
		boundPID.check("hidden", int64(s.Hidden)), boundStep.check("running_jobs", int64(s.RunningJobs)),
		boundStep.check("active_sheets", int64(s.ActiveSheets)), boundLoad.check("load_x100", s.Load[0]),
		boundLoad.check("load_x100", s.Load[1]), boundLoad.check("load_x100", s.Load[2]), s.Pressure.validate())
}

func (p *Pressure) validate() error {
	if p == nil {
		return nil
	}
	return errors.Join(boundPressure.checkOpt("cpu_some_x100", p.CPUSome), boundPressure.checkOpt("memory_some_x100", p.MemorySome),
		boundPressure.checkOpt("memory_full_x100", p.MemoryFull), boundPressure.checkOpt("io_some_x100", p.IOSome),
		boundPressure.checkOpt("io_full_x100", p.IOFull))
}

func (j *JobProgress) validate() error {
	return errors.Join(text("job id", j.JobID, MaxName), text("status", j.Status, MaxName), boundStep.checkOpt("total_sheets", j.TotalSheets),
		boundStep.checkOpt("last_completed_sheet", j.LastCompleted), boundStep.checkOpt("current_sheet", j.CurrentSheet))
}

func (g *GPU) validate() error {
	return errors.Join(boundGPU.check("index", int64(g.Index)), boundBusy.checkOpt("utilization_x10", g.Utilization),
		boundKiB.checkOpt("memory_used_kib", g.MemoryUsed), boundKiB.checkOpt("memory_total_kib", g.MemoryTotal),
		boundHeat.checkOpt("temperature_x10", g.Temperature))
}

func (e *Event) validate() error {
	for _, f := range e.figures() {
		if err := f.bound.checkOpt(f.name, *f.value); err != nil {
			return err
		}
	}
	return errors.Join(boundPID.check("pid", int64(e.PID)), boundWall.check("wall_ns", e.Wall), boundBoot.check("boot_ns", e.Boot),
		boundTicks.checkUnsigned("start_ticks", e.StartTicks), boundPID.checkOpt("ppid", e.PPID), boundUID.checkOpt("uid", e.UID),
		boundStep.checkOpt("sheet_num", e.Sheet), boundExit.checkOpt("exit_code", e.ExitCode), boundSignal.checkOpt("signal_num", e.Signal),
		text("command", e.Command, MaxCommand), text("job id", e.JobID, MaxName),
		text("source", e.Source, MaxName), text("details", e.Details, MaxText))
}

// figure is a figure of an event that may be unknown.
type figure struct {
	name  string
	bound bound
	value *Opt[int64]
}

func (e *Event) figures() [8]figure {
	return [...]figure{{"cpu_ms", boundGrowing, &e.CPUMillis}, {"sampled_cpu_ms", boundGrowing, &e.SampledCPU}, {"peak_rss_kib", boundKiB, &e.PeakRSS},
		{"read_kib", boundGrowing, &e.ReadKiB}, {"write_kib", boundGrowing, &e.WriteKiB}, {"lifetime_ms", boundMillis, &e.Lifetime},
		{"within_ms", boundMillis, &e.Within}, {"system_cpu_ms", boundGrowing, &e.System}}
}

// ForgetImpossible makes figures unknown that no machine can have, as a counter of the kernel that wrapped, and returns the names of
// those. So one figure costs itself, and not the message that the event is in.
func (e *Event) ForgetImpossible() (names []string) {
	for _, f := range e.figures() {
		if f.bound.checkOpt(f.name, *f.value) != nil {
			*f.value = Opt[int64]{}
			names = append(names, f.name)
		}
	}
	return names
}

func (e *Exec) validate() error {
	return errors.Join(boundPID.check("pid", int64(e.PID)), boundWall.check("wall_ns", e.Wall), boundBoot.check("boot_ns", e.Boot),
		boundTicks.checkUnsigned("start_ticks", e.StartTicks), boundUID.checkOpt("uid", e.UID), boundStep.checkOpt("sheet_num", e.Sheet),
		text("command", e.Command, MaxCommand), text("job id", e.JobID, MaxName), text("source", e.Source, MaxName))
}

func (g *Gap) validate() error {
	return errors.Join(boundWall.check("to_wall_ns", g.ToWall), boundAnyWall.check("from_wall_ns", g.FromWall),
		boundCount.checkOpt("count", g.Count), gapKind(g.Kind), text("details", g.Details, MaxText))
}

// gapKind checks that a text may be a kind of gap. A kind that is not in [GapKinds] may be a newer producer's.
func gapKind(k GapKind) error {
	if !k.WellFormed() {
		return fmt.Errorf("kind %.80q is no kind of gap: want 1 to 64 of a-z 0-9 _", k)
	}
	return nil
}

func (j *JobEvent) validate() error {
	switch j.Type {
	case JobDeclared, JobSheetStarted, JobSheetEnded, JobProgressed, JobEnded:
	default:
		return fmt.Errorf("type %.80q is none of declared, sheet_started, sheet_ended, progress, ended", j.Type)
	}
	if j.JobID == "" {
		return errors.New("no job id")
	}
	if j.Totals != nil {
		if err := j.Totals.validate(); err != nil {
			return fmt.Errorf("totals: %w", err)
		}
	}
	return errors.Join(boundWall.check("wall_ns", j.Wall), boundTicks.checkUnsigned("start_ticks", j.StartTicks),
		boundStep.checkOpt("sheet_num", j.Sheet), boundStep.checkOpt("total_sheets", j.TotalSheets),
		boundStep.checkOpt("last_completed_sheet", j.LastCompleted), boundPID.checkOpt("pid", j.PID), boundUID.checkOpt("uid", j.UID),
		boundJobExit.checkOpt("exit_code", j.ExitCode), boundSignal.checkOpt("signal_num", j.Signal), boundAnyWall.checkOpt("since_ns", j.Since),
		text("job id", j.JobID, MaxName),
		text("status", j.Status, MaxName), text("command", j.Command, MaxCommand), text("details", j.Details, MaxText))
}

func (r *Rollup) validate() error {
	if r.Samples <= 0 {
		return fmt.Errorf("samples %d: want at least 1", r.Samples)
	}
	return errors.Join(r.validateHost(),
		text("pressure level", r.PressureLevel, MaxName),
		each("cover", r.Covers, maxList, (*Cover).validate),
		eachOf("gpu", r.GPUs, maxList, (*GPU).validate),
		r.MemoryUsed.validate("memory_used_kib"), r.Load1.validate("load1_x100"), r.CPU.validate("cpu_permille"),
		eachOf("process", r.Processes, MaxProcesses, (*ProcessRollup).validate),
	)
}

// validateHost checks the numbers of the host and of its sampler.
func (r *Rollup) validateHost() error {
	return errors.Join(boundMinute.check("minute_ns", r.Minute), boundSamples.check("samples", r.Samples),
		boundPeriod.check("interval_ns", r.Interval), boundPID.check("daemon_pid", int64(r.DaemonPID)),
		boundKiB.checkUnsigned("daemon_rss_kib", r.DaemonRSS), boundCPUs.check("cpus", int64(r.CPUs)),
		boundKiB.checkUnsigned("memory_total_kib", r.MemoryTotal), boundLoad.check("load5_x100", r.Load5),
		boundLoad.check("load15_x100", r.Load15), boundPID.check("process_count", r.ProcessCount), boundPID.check("zombie_count", r.Zombies),
		boundStep.check("running_jobs", r.RunningJobs), boundStep.check("active_sheets", r.ActiveSheets))
}

func (c *Cover) validate() error {
	if c.First == 0 || c.Last < c.First {
		return fmt.Errorf("first_seq %d to last_seq %d", c.First, c.Last)
	}
	return errors.Join(boundCount.checkUnsigned("first_seq", c.First), boundCount.checkUnsigned("last_seq", c.Last))
}

func (p *ProcessRollup) validate() error {
	errs := []error{boundPID.check("pid", int64(p.PID)), boundPID.check("ppid", int64(p.PPID)),
		boundTicks.checkUnsigned("start_ticks", p.StartTicks), boundUID.checkOpt("uid", p.UID), boundStep.checkOpt("sheet_num", p.Sheet),
		boundSamples.check("samples", p.Samples), boundBoot.check("last_boot_ns", p.LastBoot), text("boot id", p.BootID, 64),
		text("command", p.Command, MaxCommand), text("job id", p.JobID, MaxName)}
	for _, id := range metric.Spreads {
		errs = append(errs, p.Spread(id).validate(metric.Table[id].Name))
	}
	for _, id := range metric.Lasts {
		errs = append(errs, validateNumber(&metric.Table[id], p.last(id)))
	}
	return errors.Join(errs...)
}

func (s *Spread) validate(name string) error {
	if len(s.Top) > MaxTop {
		return fmt.Errorf("%s with %d values", name, len(s.Top))
	}
	errs := []error{boundSamples.check(name+": samples", s.Samples), boundSum.check(name+": sum", s.Sum), boundValue.check(name+": max", s.Max),
		boundValue.check(name+": p95", s.P95)}
	for _, v := range s.Top {
		errs = append(errs, boundValue.check(name+": top", v))
	}
	return errors.Join(errs...)
}

// CheckTimes refuses a message that is of a time before 2000, or more than ten years after the log took it. A producer does not
// ask: what a host without a clock says is numbered, and set aside where it is folded, so that it is counted.
func (m *Message) CheckTimes(taken time.Time) error {
	b := bound{minWall, max(taken.UnixNano(), knownPast) + aheadMax}
	if err := b.check("wall_ns", m.Wall); err != nil {
		return err
	}
	var errs []error
	for i := range m.Events {
		errs = append(errs, b.check("events: wall_ns", m.Events[i].Wall))
	}
	for i := range m.Execs {
		errs = append(errs, b.check("execs: wall_ns", m.Execs[i].Wall))
	}
	for i := range m.Jobs {
		errs = append(errs, b.check("jobs: wall_ns", m.Jobs[i].Wall))
	}
	for i := range m.Gaps {
		errs = append(errs, b.check("gaps: to_wall_ns", m.Gaps[i].ToWall))
	}
	return errors.Join(errs...)
}

// boundTotal is the bound of what a run can use: microseconds of all processors of the largest machine for a year, and KiB.
var boundTotal = bound{0, 1 << 58}

func (t *Totals) validate() error {
	if t == nil {
		return nil
	}
	return errors.Join(boundTotal.checkOpt("cpu_us", t.CPUMicros), boundKiB.checkOpt("peak_rss_kib", t.PeakRSS),
		boundKiB.checkOpt("group_peak_kib", t.GroupPeak), boundTotal.checkOpt("read_kib", t.ReadKiB),
		boundTotal.checkOpt("write_kib", t.WriteKiB), boundPID.checkOpt("pids_peak", t.PIDsPeak),
		boundCount.checkOpt("processes", t.Processes), boundTotal.checkOpt("system_cpu_us", t.System), t.CPUSource.validate("cpu_source"),
		t.PeakSource.validate("peak_source"), t.IOSource.validate("io_source"))
}

func (s TotalSource) validate(name string) error {
	switch s {
	case FromGroup, FromWait, FromExits, FromSamples, FromNowhere:
		return nil
	}
	return fmt.Errorf("%s %.80q is none of cgroup, wait4, exits, samples", name, s)
}

func (r *RunRecord) validate() error {
	switch {
	case r.JobID == "":
		return errors.New("no job id")
	case r.Run.IsZero():
		return errors.New("no run")
	case r.Number < 1:
		return fmt.Errorf("number %d: want at least 1", r.Number)
	case r.Totals != nil && !r.Ended.Known:
		return errors.New("totals of a run that goes on")
	}
	return errors.Join(boundCount.check("number", r.Number), boundWall.check("started_ns", r.Started), boundAnyWall.checkOpt("ended_ns", r.Ended),
		boundAnyWall.checkOpt("since_ns", r.Since), boundWall.check("last_event_ns", r.LastEvent), boundJobExit.checkOpt("exit_code", r.ExitCode),
		boundSignal.checkOpt("signal_num", r.Signal), boundStep.checkOpt("total_sheets", r.TotalSheets),
		boundStep.checkOpt("last_completed_sheet", r.LastCompleted), text("job id", r.JobID, MaxName), text("status", r.Status, MaxName),
		text("command", r.Command, MaxCommand), text("details", r.Details, MaxText), r.Totals.validate(),
		eachOf("step", r.Steps, MaxSteps, (*RunStep).validate))
}

func (s *RunStep) validate() error {
	return errors.Join(boundStep.check("sheet_num", s.Sheet), boundAnyWall.checkOpt("started_ns", s.Started), boundAnyWall.checkOpt("ended_ns", s.Ended),
		boundJobExit.checkOpt("exit_code", s.ExitCode), boundSignal.checkOpt("signal_num", s.Signal), text("status", s.Status, MaxName), s.Totals.validate())
}
