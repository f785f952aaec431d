package schema

import "fmt"

type msgpackCodec struct{}

// Append writes the envelope's fields: the body behind those of the first version, and then those that were added.
func (msgpackCodec) Append(b []byte, m *Message) ([]byte, error) {
	if err := m.validate(noColumns); err != nil {
		return b, err
	}
	w := takeWriter()
	defer w.release()
	w.Begin(b)
	w.err = nil
	writeMessage(w, m)
	w.texts.Clear()
	written := w.Take()
	switch n := len(written) - len(b); {
	case w.err != nil:
		return b, fmt.Errorf("%s: %w", m.Kind, w.err)
	case n > MaxMessage:
		return b, fmt.Errorf("message of %d bytes, the limit is %d", n, MaxMessage)
	}
	return written, nil
}

func writeMessage(w *writer, m *Message) {
	fields := 13
	if m.Began != 0 {
		fields++
	}
	w.Array(fields)
	w.Uint(uint64(m.Version))
	w.String(string(m.Kind))
	w.String(m.Host)
	w.String(m.BootID)
	w.Bytes(m.Instance[:])
	w.Uint(m.Seq)
	w.Int(m.Wall)
	w.Int(m.Boot)
	w.Uint(m.Produced)
	writeList(w, m.Dropped, writeDrop)
	writeBody(w, m)
	w.Uint(m.Acked)
	writeList(w, m.Ended, writeEnd)
	if m.Began != 0 {
		w.Int(m.Began)
	}
}

func writeBody(w *writer, m *Message) {
	switch m.Kind.Body() {
	case BodySnapshot:
		writeSnapshot(w, m.Snapshot)
	case BodyEvents:
		writeList(w, m.Events, writeEvent)
	case BodyExecs:
		writeList(w, m.Execs, writeExec)
	case BodyGaps:
		writeList(w, m.Gaps, writeGap)
	case BodyJobs:
		writeList(w, m.Jobs, writeJobEvent)
	case BodyRollup:
		writeRollup(w, m.Rollup)
	case BodyRun:
		writeRunRecord(w, m.Run)
	case BodyAnomaly:
		writeAnomaly(w, m.Anomaly)
	default:
		w.Nil() // no such kind passes Validate
	}
}

func writeCapability(w *writer, c *Capability) { w.String(string(*c)) }

func writeSnapshot(w *writer, s *Snapshot) {
	withHost := !s.HostValues.IsZero()
	fields := 20
	if withHost {
		fields++
	}
	w.Array(fields)
	w.Int(s.Interval)
	w.Uint(s.Tick)
	w.Int(int64(s.DaemonPID))
	w.Uint(s.DaemonRSS)
	w.Int(s.Uptime)
	w.Int(int64(s.CPUs))
	w.Uint(s.MemoryTotal)
	w.Uint(s.MemoryAvail)
	w.Array(len(s.Load))
	for _, l := range s.Load {
		w.Int(l)
	}
	writePressure(w, s.Pressure)
	w.String(s.PressureLevel)
	w.Bool(s.Partial)
	w.Int(int64(s.Hidden))
	writeList(w, s.Capabilities, writeCapability)
	w.Int(int64(s.RunningJobs))
	w.Int(int64(s.ActiveSheets))
	writeList(w, s.JobProgress, writeJobProgress)
	writeList(w, s.GPUs, writeGPU)
	writeProcesses(w, &s.Processes)
	writeSyscalls(w, &s.Processes)
	if withHost {
		writeHostValues(w, &s.HostValues)
	}
}
