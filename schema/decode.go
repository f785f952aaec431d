package schema

import (
	"fmt"

	"github.com/proctape/proctape/schema/wire"
)

func (c msgpackCodec) Decode(b []byte) (*Message, error) { return c.decode(b, everyColumn) }

// decode reads a message; of its processes the columns that are wanted.
func (msgpackCodec) decode(b []byte, want Columns) (*Message, error) {
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("message of %d bytes, the limit is %d", len(b), MaxMessage)
	}
	r := takeReader()
	defer releaseReader(r)
	r.Begin(b)
	m, err := readMessage(r, want)
	switch {
	case err != nil:
		return nil, err
	case r.Err() != nil:
		return nil, fmt.Errorf("decode msgpack: %w", r.Err())
	case r.Remaining() != 0:
		return nil, fmt.Errorf("decode msgpack: %d bytes follow the message", r.Remaining())
	}
	if err := m.validate(numbersOnly); err != nil {
		return nil, err
	}
	return m, nil
}

// readMessage reads in the order in which Append writes. A version it does not know ends it early: what follows
// may mean anything.
func readMessage(r *wire.Reader, want Columns) (*Message, error) {
	m := new(Message)
	_, outer := r.Open(maxFields)
	m.Version = readInt(r)
	if r.Err() == nil && m.Version != Version {
		return nil, fmt.Errorf("%w %d, this build reads %d", ErrVersion, m.Version, Version)
	}
	m.Kind = Kind(r.String(MaxName))
	m.Host = r.String(MaxName)
	m.BootID = r.String(MaxName)
	readInstance(r, &m.Instance)
	m.Seq = r.Uint()
	m.Wall = r.Int()
	m.Boot = r.Int()
	m.Produced = r.Uint()
	m.Dropped = readList(r, maxList, 2, readDrop)
	readBody(r, m, want)
	m.Acked = r.Uint()
	m.Ended = readList(r, MaxEnds, 9, readEnd)
	m.Began = readOpt(r).V
	r.Close(outer)
	return m, nil
}

func readBody(r *wire.Reader, m *Message, want Columns) {
	switch m.Kind.Body() {
	case BodySnapshot:
		m.Snapshot = readSnapshot(r, want)
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
	case BodyRun:
		m.Run = readRunRecord(r)
	case BodyAnomaly:
		m.Anomaly = readAnomaly(r)
	}
}

func readCapability(r *wire.Reader, c *Capability) { *c = Capability(r.String(MaxName)) }

func readSnapshot(r *wire.Reader, want Columns) *Snapshot {
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
	readProcesses(r, &s.Processes, want)
	readSyscalls(r, &s.Processes)
	readHostValues(r, &s.HostValues)
	r.Close(outer)
	return s
}
