package schema

import (
	"errors"
	"fmt"

	"github.com/proctape/proctape/schema/metric"
)

// Validate checks what no encoding can: that the body belongs to the kind, and that the tables can hold every value. Both
// codecs call it when they write and when they read, so that what was written can be read.
func (m *Message) Validate() error { return m.validate(withTexts) }

func (m *Message) validate(texts textChecks) error {
	if m.Version != Version {
		return fmt.Errorf("%w %d, this build knows %d", ErrVersion, m.Version, Version)
	}
	if err := m.validateEnvelope(); err != nil {
		return err
	}
	if err := m.validateBody(texts); err != nil {
		return fmt.Errorf("%s: %w", m.Kind, err)
	}
	return nil
}

func (m *Message) validateEnvelope() error {
	switch {
	case !ValidHost(m.Host):
		return fmt.Errorf("host %.80q is no host token: want 1 to 64 of A-Z a-z 0-9 _ -", m.Host)
	case m.Host == Fleet && m.Kind != KindJob:
		return fmt.Errorf("a message of kind %s for the fleet: no host is called %s, and only job events are the fleet's", m.Kind, Fleet)
	case m.Instance == Instance{}:
		return errors.New("no instance")
	case m.Seq == 0 || m.Seq > maxNumber:
		return fmt.Errorf("number %d is out of range: the first is 1", m.Seq)
	case m.Produced > maxNumber:
		return fmt.Errorf("produced %d is out of range", m.Produced)
	case m.BootID == "":
		return errors.New("no boot id")
	case m.Wall <= 0 || m.Boot < 0:
		return fmt.Errorf("time out of range: wall %d, boot %d", m.Wall, m.Boot)
	case m.Acked > maxNumber:
		return fmt.Errorf("acknowledged %d is out of range", m.Acked)
	}
	return errors.Join(text("boot id", m.BootID, 64), eachOf("drop count", m.Dropped, maxList, (*Drop).validate),
		eachOf("life that ended", m.Ended, MaxEnds, (*End).Validate))
}

func (m *Message) validateBody(texts textChecks) error {
	body := m.Kind.Body()
	if body == 0 {
		return errors.New("no such kind")
	}
	present := [...]bool{BodySnapshot: m.Snapshot != nil, BodyEvents: m.Events != nil, BodyExecs: m.Execs != nil,
		BodyGaps: m.Gaps != nil, BodyJobs: m.Jobs != nil, BodyRollup: m.Rollup != nil}
	bodies := 0
	for _, p := range present {
		if p {
			bodies++
		}
	}
	switch {
	case bodies != 1:
		return fmt.Errorf("%d bodies, want one", bodies)
	case !present[body]:
		return errors.New("the body is not the kind's")
	}
	switch body {
	case BodySnapshot:
		return m.Snapshot.validate(texts)
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
	}
	return errors.New("nothing checks this body")
}

func (s *Snapshot) validate(texts textChecks) error {
	err := errors.Join(
		unsigned("memory total", s.MemoryTotal), unsigned("memory available", s.MemoryAvail),
		unsigned("daemon rss", s.DaemonRSS), unsigned("tick", s.Tick),
		text("pressure level", s.PressureLevel, MaxName),
		eachOf("capability", s.Capabilities, maxList, func(c *Capability) error { return text("name", string(*c), MaxName) }),
		eachOf("job progress", s.JobProgress, maxList, func(j *JobProgress) error {
			return errors.Join(text("job id", j.JobID, MaxName), text("status", j.Status, MaxName))
		}),
		eachOf("gpu", s.GPUs, maxList, func(*GPU) error { return nil }),
	)
	if err != nil {
		return err
	}
	if s.Interval < 0 {
		return fmt.Errorf("interval %d is negative", s.Interval)
	}
	return validateProcesses(&s.Processes, texts)
}

func (e *Event) validate() error {
	return errors.Join(pid(e.PID), wall(e.Wall), unsigned("start ticks", e.StartTicks),
		text("command", e.Command, MaxCommand), text("job id", e.JobID, MaxName),
		text("source", e.Source, MaxName), text("details", e.Details, MaxText))
}

func (e *Exec) validate() error {
	return errors.Join(pid(e.PID), wall(e.Wall), bootTime(e.Boot), unsigned("start ticks", e.StartTicks),
		text("command", e.Command, MaxCommand), text("job id", e.JobID, MaxName), text("source", e.Source, MaxName))
}

func (g *Gap) validate() error {
	return errors.Join(wall(g.ToWall), gapKind(g.Kind), text("details", g.Details, MaxText))
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
	if j.UID.Known && (j.UID.V < 0 || j.UID.V > metric.Table[metric.UID].Limit) {
		return fmt.Errorf("uid %d is none", j.UID.V)
	}
	return errors.Join(wall(j.Wall), unsigned("start ticks", j.StartTicks), text("job id", j.JobID, MaxName),
		text("status", j.Status, MaxName), text("command", j.Command, MaxCommand), text("details", j.Details, MaxText))
}

func (r *Rollup) validate() error {
	if r.Minute <= 0 || r.Samples <= 0 {
		return fmt.Errorf("minute %d with %d samples", r.Minute, r.Samples)
	}
	return errors.Join(
		unsigned("memory total", r.MemoryTotal), unsigned("recorder RSS", r.DaemonRSS),
		text("pressure level", r.PressureLevel, MaxName),
		each("cover", r.Covers, maxList, (*Cover).validate),
		eachOf("gpu", r.GPUs, maxList, func(*GPU) error { return nil }),
		spread("memory used", &r.MemoryUsed), spread("load", &r.Load1), spread("cpu", &r.CPU),
		eachOf("process", r.Processes, MaxProcesses, (*ProcessRollup).validate),
	)
}

func (c *Cover) validate() error {
	if c.First == 0 || c.Last < c.First {
		return fmt.Errorf("snapshots %d to %d", c.First, c.Last)
	}
	return unsigned("last snapshot", c.Last)
}

func (p *ProcessRollup) validate() error {
	errs := []error{pid(p.PID), unsigned("start ticks", p.StartTicks), text("boot id", p.BootID, 64),
		text("command", p.Command, MaxCommand), text("job id", p.JobID, MaxName)}
	for _, id := range metric.Spreads {
		errs = append(errs, spread(metric.Table[id].Name, p.Spread(id)))
	}
	for _, id := range metric.Lasts {
		errs = append(errs, validateNumber(&metric.Table[id], p.last(id)))
	}
	return errors.Join(errs...)
}

func spread(name string, s *Spread) error {
	if s.Samples < 0 || len(s.Top) > MaxTop {
		return fmt.Errorf("%s of %d samples with %d values", name, s.Samples, len(s.Top))
	}
	return nil
}

func wall(ns int64) error {
	if ns <= 0 {
		return fmt.Errorf("wall time %d is out of range", ns)
	}
	return nil
}

func bootTime(ns int64) error {
	if ns < 0 {
		return fmt.Errorf("boot time %d is negative", ns)
	}
	return nil
}
