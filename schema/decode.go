package schema

import (
	"fmt"

	"github.com/proctape/proctape/schema/wire"
)

// maxFields bounds the fields of one record, so that later versions have room to append.
const maxFields = 64

func (msgpackCodec) Decode(b []byte) (*Message, error) {
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("message of %d bytes, the limit is %d", len(b), MaxMessage)
	}
	r := wire.NewReader(b)
	m, err := readMessage(r)
	switch {
	case err != nil:
		return nil, err
	case r.Err() != nil:
		return nil, fmt.Errorf("decode msgpack: %w", r.Err())
	case r.Remaining() != 0:
		return nil, fmt.Errorf("decode msgpack: %d bytes follow the message", r.Remaining())
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// readMessage reads in the order in which Append writes. A version it does not know ends it early: what follows
// may mean anything.
func readMessage(r *wire.Reader) (*Message, error) {
	m := new(Message)
	_, outer := r.Open(maxFields)
	m.Version = readInt(r)
	if r.Err() == nil && m.Version != Version {
		return nil, fmt.Errorf("%w %d, this build reads %d", ErrVersion, m.Version, Version)
	}
	m.Kind = Kind(r.String(MaxName))
	m.Host = r.String(MaxName)
	m.BootID = r.String(MaxName)
	r.Bytes(m.Instance[:])
	m.Seq = r.Uint()
	m.Wall = r.Int()
	m.Boot = r.Int()
	m.Produced = r.Uint()
	m.Dropped = readList(r, maxList, 2, readDrop)
	readBody(r, m)
	r.Close(outer)
	return m, nil
}

func readBody(r *wire.Reader, m *Message) {
	switch m.Kind.Body() {
	case BodySnapshot:
		m.Snapshot = readSnapshot(r)
	case BodyEvents:
		m.Events = readList(r, MaxEvents, 20, readEvent)
	case BodyExecs:
		m.Execs = readList(r, MaxEvents, 9, readExec)
	case BodyGaps:
		m.Gaps = readList(r, MaxEvents, 5, readGap)
	case BodyJobs:
		m.Jobs = readList(r, MaxEvents, 14, readJobEvent)
	case BodyRollup:
		m.Rollup = readRollup(r)
	}
}

// readList reads an array of records. fields is how many a record has had since the first version: with its head it
// takes at least a byte for each, so that no more records are allocated than the bytes that are left can hold, and a
// hostile message allocates some fifteen times its own length at most.
func readList[T any](r *wire.Reader, limit, fields int, one func(*wire.Reader, *T)) []T {
	n, outer := r.Open(limit)
	if n > r.Remaining()/(1+fields) {
		r.Fail("%d records of %d fields in %d bytes", n, fields, r.Remaining())
		n = 0
	}
	var list []T
	if n > 0 {
		list = make([]T, n)
	}
	for i := range list {
		if one(r, &list[i]); r.Err() != nil {
			break
		}
	}
	r.Close(outer)
	return list
}

func readInt(r *wire.Reader) int {
	v := r.Int()
	if int64(int(v)) != v {
		r.Fail("%d is out of range", v)
		return 0
	}
	return int(v)
}

func readOpt(r *wire.Reader) Opt[int64] {
	if r.Nil() {
		return Opt[int64]{}
	}
	return Some(r.Int())
}

func readCapability(r *wire.Reader, c *Capability) { *c = Capability(r.String(MaxName)) }

func readDrop(r *wire.Reader, d *Drop) {
	_, outer := r.Open(maxFields)
	d.Reason = r.String(MaxName)
	d.Count = r.Uint()
	r.Close(outer)
}

func readSnapshot(r *wire.Reader) *Snapshot {
	s := new(Snapshot)
	_, outer := r.Open(maxFields)
	s.Interval = r.Int()
	s.Tick = r.Uint()
	s.DaemonPID = readInt(r)
	s.DaemonRSS = r.Uint()
	s.Uptime = r.Int()
	s.CPUs = readInt(r)
	s.MemoryTotal = r.Uint()
	s.MemoryAvail = r.Uint()
	_, list := r.Open(maxFields)
	for i := range s.Load {
		s.Load[i] = r.Int()
	}
	r.Close(list)
	s.Pressure = readPressure(r)
	s.PressureLevel = r.String(MaxName)
	s.Partial = r.Bool()
	s.Hidden = readInt(r)
	s.Capabilities = readList(r, maxList, 0, readCapability)
	s.RunningJobs = readInt(r)
	s.ActiveSheets = readInt(r)
	s.JobProgress = readList(r, maxList, 5, readJobProgress)
	s.GPUs = readList(r, maxList, 5, readGPU)
	s.Processes = ProcessesOf(readList(r, MaxProcesses, 19, readProcess)...)
	r.Close(outer)
	return s
}

func readPressure(r *wire.Reader) *Pressure {
	if r.Nil() {
		return nil
	}
	p := new(Pressure)
	_, outer := r.Open(maxFields)
	for _, v := range [...]*int64{&p.CPUSome, &p.MemorySome, &p.MemoryFull, &p.IOSome, &p.IOFull} {
		*v = r.Int()
	}
	r.Close(outer)
	return p
}

func readJobProgress(r *wire.Reader, j *JobProgress) {
	_, outer := r.Open(maxFields)
	j.JobID = r.String(MaxName)
	j.TotalSheets = readOpt(r)
	j.LastCompleted = readOpt(r)
	j.CurrentSheet = readOpt(r)
	j.Status = r.String(MaxName)
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

func readProcess(r *wire.Reader, p *Process) {
	_, outer := r.Open(maxFields)
	p.PID = readInt(r)
	p.PPID = readInt(r)
	p.StartTicks = r.Uint()
	p.State = r.String(MaxName)
	p.CPUPermille = readOpt(r)
	p.CPUMillis = r.Uint()
	p.RSS = readOpt(r)
	p.VMS = readOpt(r)
	p.Threads = readInt(r)
	p.OpenFDs = readOpt(r)
	p.UID = readOpt(r)
	p.Command = r.String(MaxCommand)
	p.JobID = r.String(MaxName)
	p.Sheet = readOpt(r)
	p.ReadKiB = readOpt(r)
	p.WriteKiB = readOpt(r)
	if !r.Nil() {
		p.Syscalls = readList(r, maxList, 3, readSyscall)
	}
	p.Cgroup = r.String(MaxCommand)
	p.GPUMemory = readOpt(r)
	r.Close(outer)
}

func readSyscall(r *wire.Reader, s *Syscall) {
	_, outer := r.Open(maxFields)
	s.Name = r.String(MaxName)
	s.Calls = r.Uint()
	s.TimeX100 = r.Uint()
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
	r.Bytes(c.Instance[:])
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
	p.CPUPermille = readSpread(r)
	p.RSS = readSpread(r)
	p.LastBoot = r.Int()
	p.State = r.String(MaxName)
	p.VMS = readOpt(r)
	p.Threads = readInt(r)
	p.OpenFDs = readOpt(r)
	p.CPUMillis = r.Uint()
	r.Close(outer)
}
