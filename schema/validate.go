package schema

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxNumber bounds numbers that are summed over messages, so that no sum overflows. At a million a second it lasts for
// 285 years.
const maxNumber = 1 << 53

// Validate checks what no encoding can: that the body belongs to the kind, and that the tables can hold every value. Both
// codecs call it when they write and when they read, so that what was written can be read.
func (m *Message) Validate() error {
	if m.Version != Version {
		return fmt.Errorf("%w %d, this build knows %d", ErrVersion, m.Version, Version)
	}
	if err := m.validateEnvelope(); err != nil {
		return err
	}
	if err := m.validateBody(); err != nil {
		return fmt.Errorf("%s: %w", m.Kind, err)
	}
	return nil
}

func (m *Message) validateEnvelope() error {
	switch {
	case !ValidHost(m.Host):
		return fmt.Errorf("host %.80q is no host token: want 1 to 64 of A-Z a-z 0-9 _ -", m.Host)
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
	case len(m.Dropped) > maxList:
		return fmt.Errorf("%d drop counts, the limit is %d", len(m.Dropped), maxList)
	}
	for _, d := range m.Dropped {
		if err := errors.Join(text("drop reason", d.Reason, MaxName), unsigned("drop count", d.Count)); err != nil {
			return err
		}
	}
	return text("boot id", m.BootID, 64)
}

func (m *Message) validateBody() error {
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
		return m.Snapshot.validate()
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

// each validates the elements of a list that must hold 1 to limit of them.
func each[T any](name string, list []T, limit int, validate func(*T) error) error {
	if len(list) == 0 {
		return fmt.Errorf("no %s", name)
	}
	return eachOf(name, list, limit, validate)
}

// eachOf is each for a list that may be empty.
func eachOf[T any](name string, list []T, limit int, validate func(*T) error) error {
	if len(list) > limit {
		return fmt.Errorf("%d times %s, the limit is %d", len(list), name, limit)
	}
	for i := range list {
		if err := validate(&list[i]); err != nil {
			return fmt.Errorf("%s %d: %w", name, i, err)
		}
	}
	return nil
}

// text checks a string that goes into a table: its length, that it is UTF-8 and has no NUL.
func text(name, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%s of %d bytes, the limit is %d", name, len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %.80q is not UTF-8", name, s)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%s %.80q holds a NUL", name, s)
	}
	return nil
}

// unsigned checks that a number, and any sum of such numbers, fits SQLite's signed 64 bits.
func unsigned(name string, v uint64) error {
	if v > maxNumber {
		return fmt.Errorf("%s %d is out of range", name, v)
	}
	return nil
}

func pid(p int) error {
	// PID_MAX_LIMIT, include/linux/threads.h: pids are below it
	if p < 0 || p >= 1<<22 {
		return fmt.Errorf("pid %d is out of range", p)
	}
	return nil
}

func (s *Snapshot) validate() error {
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
	return s.validateProcesses()
}

// validateProcesses checks each process, and that pids rise: a pid lives once in a snapshot, and the tables are
// written in this order.
func (s *Snapshot) validateProcesses() error {
	last, calls := 0, 0
	return eachOf("process", s.Processes, MaxProcesses, func(p *Process) error {
		if calls += len(p.Syscalls); calls > maxSyscalls {
			return fmt.Errorf("more than %d system calls in one snapshot", maxSyscalls)
		}
		if p.PID <= last {
			return fmt.Errorf("pid %d after pid %d: want them rising", p.PID, last)
		}
		last = p.PID
		return p.validate()
	})
}

func letter(s string) bool {
	return len(s) == 1 && (s[0] >= 'A' && s[0] <= 'Z' || s[0] >= 'a' && s[0] <= 'z')
}

func (p *Process) validate() error {
	if err := pid(p.PID); err != nil {
		return err
	}
	// The start in nanoseconds fits 63 bits: ages are taken from it.
	if p.PPID < 0 || p.StartTicks > math.MaxInt64/(1_000_000_000/TicksPerSecond) || p.CPUMillis > maxNumber || !letter(p.State) {
		return fmt.Errorf("pid %d: parent %d, start %d, cpu %d or state %.8q is out of range",
			p.PID, p.PPID, p.StartTicks, p.CPUMillis, p.State)
	}
	if err := text("command", p.Command, MaxCommand); err != nil {
		return err
	}
	if err := text("job id", p.JobID, MaxName); err != nil {
		return err
	}
	if err := text("cgroup", p.Cgroup, MaxCommand); err != nil {
		return err
	}
	return eachOf("system call", p.Syscalls, maxList, func(c *Syscall) error {
		if c.Name == "" {
			return errors.New("no name")
		}
		return errors.Join(text("name", c.Name, MaxName), unsigned("count", c.Calls), unsigned("time", c.TimeX100))
	})
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
	return errors.Join(pid(p.PID), unsigned("start ticks", p.StartTicks), unsigned("cpu", p.CPUMillis),
		text("boot id", p.BootID, 64), text("command", p.Command, MaxCommand), text("job id", p.JobID, MaxName),
		text("state", p.State, MaxName), spread("cpu share", &p.CPU), spread("rss", &p.RSS))
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
