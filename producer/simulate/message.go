package simulate

import (
	"cmp"
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Source is who saw the events, as they say themselves.
const Source = "simulate"

// capabilities are what the snapshots say of their sampler.
var capabilities = []schema.Capability{
	schema.CapProcesses, schema.CapIO, schema.CapPSI, schema.CapArgvScrubbed, schema.CapSimulated}

// scratch is the memory that messages are made in.
type scratch struct {
	messages      []schema.Message
	snapshot      schema.Snapshot
	pressure      schema.Pressure
	exits, spawns []schema.Event
	execs         []schema.Exec
	jobs          []schema.JobEvent
}

func (s *scratch) reset() {
	s.messages, s.exits, s.spawns, s.execs, s.jobs = s.messages[:0], s.exits[:0], s.spawns[:0], s.execs[:0], s.jobs[:0]
}

// messages are what the last step made, in the order in which a sampler publishes it.
func (h *Host) messages() []schema.Message {
	s := h.scratch
	h.look(&s.snapshot)
	h.message(schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot}, Snapshot: &s.snapshot})
	h.events(schema.KindExit, s.exits)
	h.events(schema.KindSpawn, s.spawns)
	slices.SortStableFunc(s.execs, func(a, b schema.Exec) int { return cmp.Compare(a.Boot, b.Boot) })
	for some := range slices.Chunk(s.execs, schema.MaxEvents) {
		h.message(schema.Message{Envelope: schema.Envelope{Kind: schema.KindExec}, Execs: some})
	}
	for jobs := range slices.Chunk(s.jobs, schema.MaxEvents) {
		h.message(schema.Message{Envelope: schema.Envelope{Kind: schema.KindJob}, Jobs: jobs})
	}
	return s.messages
}

// events are messages of events of a kind, in the order in which they happened.
func (h *Host) events(kind schema.Kind, events []schema.Event) {
	slices.SortStableFunc(events, func(a, b schema.Event) int { return cmp.Compare(a.Boot, b.Boot) })
	for some := range slices.Chunk(events, schema.MaxEvents) {
		h.message(schema.Message{Envelope: schema.Envelope{Kind: kind}, Events: some})
	}
}

// message fills in the envelope as a publisher does.
func (h *Host) message(m schema.Message) {
	m.Version, m.Host, m.BootID, m.Instance = schema.Version, h.name, h.bootID, h.instance
	m.Wall, m.Boot = h.wall(), h.boot
	count := m.Count()
	m.Seq = h.next[m.Kind] + 1
	h.next[m.Kind] += count
	h.produced += count
	m.Produced = h.produced
	h.scratch.messages = append(h.scratch.messages, m)
}

// look is the host as it is now.
func (h *Host) look(s *schema.Snapshot) {
	processes, progress := s.Processes[:0], s.JobProgress[:0]
	for _, i := range h.order {
		processes = append(processes, h.sample(int(i)))
	}
	for i := range h.jobs {
		progress = append(progress, h.jobs[i].progress())
	}
	sampler := &h.places[h.sampler]
	*s = schema.Snapshot{
		Interval: int64(h.cfg.Interval), Tick: h.tick, DaemonPID: sampler.pid, DaemonRSS: uint64(sampler.rss),
		Uptime: int64(h.tick-1) * int64(h.cfg.Interval), CPUs: h.cpus,
		MemoryTotal: uint64(h.memoryTotal), MemoryAvail: uint64(max(h.memoryTotal-h.resident()*3/4, h.memoryTotal/6)),
		Load: h.load, Pressure: &h.scratch.pressure, PressureLevel: "none", Capabilities: capabilities,
		RunningJobs: len(h.jobs), ActiveSheets: len(h.jobs), JobProgress: progress, Processes: processes,
	}
	h.scratch.pressure = h.pressure()
}

// pressure is a guess: tasks wait for a CPU when most of them are taken, and for disks as many as are seen waiting.
func (h *Host) pressure() schema.Pressure {
	taken := int64(h.worked) * nsPerTick * 100 / (int64(h.cpus) * int64(h.cfg.Interval)) // percent
	return schema.Pressure{CPUSome: max(0, taken-60) * 100, IOSome: min(int64(h.stuck)*50, 5000), IOFull: min(int64(h.stuck)*10, 1000)}
}

// sample is a process as a sampler sees it.
func (h *Host) sample(i int) schema.Process {
	p := &h.places[i]
	s := schema.Process{
		PID: p.pid, PPID: p.ppid, StartTicks: p.start, State: p.state, CPUPermille: schema.Some(p.permille(h)),
		CPUMillis: p.cpu * 1000 / schema.TicksPerSecond, RSS: schema.Some(p.rss), VMS: schema.Some(p.vms()),
		Threads: p.program.threads, OpenFDs: schema.Some(int64(p.fds)), UID: schema.Some(p.program.uid), Command: p.command,
		ReadKiB: schema.Some(p.io.read), WriteKiB: schema.Some(p.io.write),
	}
	s.JobID, s.Sheet, s.Cgroup = h.belongs(i)
	if p.state == zombie { // it has let go of everything but its pid and its totals
		s.Threads, s.RSS, s.VMS, s.OpenFDs = 1, schema.Some[int64](0), schema.Some[int64](0), schema.Opt[int64]{}
		s.ReadKiB, s.WriteKiB = schema.Opt[int64]{}, schema.Opt[int64]{}
	}
	p.seen = true
	return s
}

// permille is the CPU that the process used since the look before, or for one that is seen for the first time its mean.
func (l *life) permille(h *Host) int64 {
	ticks, elapsed := l.used, int64(h.cfg.Interval)
	if !l.seen {
		ticks, elapsed = l.cpu, h.boot-int64(l.start)*nsPerTick
	}
	return int64(math.Round(float64(ticks) * float64(nsPerTick) * 1000 / float64(elapsed)))
}

// vms is the address space: what is resident, libraries, and the stacks of the threads.
func (l *life) vms() int64 { return 2*l.peak + 96<<10 + int64(l.program.threads)*8<<10 }

// belongs is what a place belongs to. The root of a job is in none of its steps.
func (h *Host) belongs(i int) (job string, sheet schema.Opt[int64], cgroup string) {
	p := &h.places[i]
	if p.job == nil {
		return "", schema.Opt[int64]{}, p.cgroup
	}
	if i > p.job.first {
		sheet = schema.Some(p.job.sheet)
	}
	return p.job.name, sheet, p.job.cgroup
}

// execEvery is how many processes there are for one that is started by a shell, and soon executes its program in the
// shell's place. Which ones do so does not depend on chance, so that chance is left to what else happens.
const execEvery = 16

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

// observeExit notes that a process ended at a boot time, and all that a kernel would know of it.
func (h *Host) observeExit(i int, at int64) {
	p, e := &h.places[i], h.event(i, at)
	e.CPUMillis, e.PeakRSS = schema.Some(int64(p.cpu)*1000/schema.TicksPerSecond), schema.Some(p.peak)
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
	e.JobID, e.Sheet, _ = h.belongs(i)
	return e
}
