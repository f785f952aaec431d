package simulate

import "github.com/proctape/proctape/schema"

// observeSpawn notes that a process started at a boot time.
func (h *Host) observeSpawn(i int, at int64) {
	e := h.event(i, at)
	if (uint64(e.PID)+e.StartTicks)%execEvery == 0 {
		exec := e
		exec.Boot, exec.Wall = at+nsPerTick/2, h.wallAt(at+nsPerTick/2)
		h.scratch.execs = append(h.scratch.execs, schema.ExecOf(&exec))
		e.Command = "/bin/sh -c exec " + e.Command
	}
	h.scratch.spawns = append(h.scratch.spawns, e)
}

// execEvery is how many processes there are for one that is started by a shell, and soon executes its program in the
// shell's place. Which ones do so does not depend on chance, so that chance is left to what else happens.
const execEvery = 16

// observeExit notes that a process ended at a boot time, and all that a kernel would know of it.
func (h *Host) observeExit(i int, at int64) {
	p, e := &h.places[i], h.event(i, at)
	e.CPUMillis, e.PeakRSS = schema.Some(int64(p.cpu)*1000/schema.TicksPerSecond), schema.Some(wholePages(p.peak))
	e.ReadKiB, e.WriteKiB = schema.Some(p.io.read), schema.Some(p.io.write)
	e.Lifetime = schema.Some((at - int64(p.start)*nsPerTick) / 1e6)
	switch h.random.IntN(64) {
	case 0, 1, 2:
		e.ExitCode = schema.Some[int64](1)
	case 3:
		e.Signal = schema.Some[int64](15)
	case 4:
		e.Signal, e.Core = schema.Some[int64](11), true
	default:
		e.ExitCode = schema.Some[int64](0)
	}
	h.scratch.exits = append(h.scratch.exits, e)
}

func (h *Host) event(i int, at int64) schema.Event {
	p := &h.places[i]
	e := schema.Event{Wall: h.wallAt(at), Boot: at, PID: p.pid, PPID: schema.Some(int64(p.ppid)), StartTicks: p.start,
		UID: schema.Some(p.program.uid), Command: p.command, Source: Source}
	e.JobID, e.Sheet, _ = h.ownerOf(i)
	return e
}

// Source is who saw the events, as they say themselves.
const Source = "simulate"

// exit takes the process out of its place at a boot time, and notes that.
func (h *Host) exit(i int, at int64) {
	h.observeExit(i, at)
	h.vacate(i)
}
