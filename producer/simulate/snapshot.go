package simulate

import (
	"math"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// fillSnapshot makes s the host as it is now. Pressure is the memory for its pressure.
func fillSnapshot(m *machine, s *schema.Snapshot, pressure *schema.Pressure) {
	processes, progress := s.Processes, s.JobProgress[:0]
	processes.Reset()
	for _, i := range m.order {
		p := sampleOf(m, int(i))
		processes.Append(&p)
	}
	for i := range m.jobs {
		progress = append(progress, m.jobs[i].progress())
	}
	sampler := &m.places[m.sampler]
	*s = schema.Snapshot{
		Interval: int64(m.cfg.Interval), Tick: m.tick, DaemonPID: sampler.pid, DaemonRSS: uint64(wholePages(sampler.rss)),
		Uptime: int64(m.tick-1) * int64(m.cfg.Interval), CPUs: m.cpus,
		MemoryTotal: uint64(m.memoryTotal), MemoryAvail: uint64(max(m.memoryTotal-m.resident()*3/4, m.memoryTotal/6)),
		Load: m.load, Pressure: pressure, Capabilities: capabilities,
		RunningJobs: len(m.jobs), ActiveSheets: len(m.jobs), JobProgress: progress, Processes: processes,
	}
	*pressure = pressureOf(m)
	s.PressureLevel = s.LevelOfPressure()
}

// pressure is a guess: tasks wait for a CPU when most of them are taken, and for disks as many as are seen waiting.
func pressureOf(m *machine) schema.Pressure {
	taken := int64(m.worked) * nsPerTick * 100 / (int64(m.cpus) * int64(m.cfg.Interval)) // percent
	some, none := schema.Some[int64], schema.Some(int64(0))
	return schema.Pressure{CPUSome: some(max(0, taken-60) * 100), MemorySome: none, MemoryFull: none,
		IOSome: some(min(int64(m.stuck)*50, 5000)), IOFull: some(min(int64(m.stuck)*10, 1000))}
}

// sample is a process as a sampler sees it.
func sampleOf(m *machine, i int) schema.Process {
	p := &m.places[i]
	s := schema.Process{
		PID: p.pid, PPID: p.ppid, StartTicks: p.start, State: p.state, CPUPermille: schema.Some(p.permille(m)),
		CPUMillis: p.cpu * 1000 / schema.TicksPerSecond, RSS: schema.Some(wholePages(p.rss)), VMS: schema.Some(p.vms()),
		Threads: p.program.threads, OpenFDs: schema.Some(int64(p.fds)), FDLimit: fdLimitOf(int64(p.fds)), UID: schema.Some(p.program.uid), Command: p.command,
		ReadKiB: schema.Some(p.io.read), WriteKiB: schema.Some(p.io.write),
	}
	s.JobID, s.Sheet, s.Cgroup = m.ownerOf(i)
	if p.state == zombie { // it has let go of everything but its pid and its totals
		s.Threads, s.RSS, s.VMS, s.OpenFDs, s.FDLimit = 1, schema.Some[int64](0), schema.Some[int64](0), schema.Opt[int64]{}, schema.Opt[int64]{}
		s.ReadKiB, s.WriteKiB = schema.Opt[int64]{}, schema.Opt[int64]{}
	}
	p.seen = true
	return s
}

// fdLimitOf is what a service may have open that has so many files open, as a sampler sees it: it does not look at the limit of one that has few.
func fdLimitOf(fds int64) schema.Opt[int64] {
	if fds < metric.ManyFDs {
		return schema.Opt[int64]{}
	}
	return schema.Some[int64](65536)
}

// permille is the CPU that the process used since the last snapshot; for one that is in its first snapshot, its mean.
func (l *life) permille(m *machine) int64 {
	ticks, elapsed := l.used, int64(m.cfg.Interval)
	if !l.seen {
		ticks, elapsed = l.cpu, m.boot-int64(l.start)*nsPerTick
	}
	return int64(math.Round(float64(ticks) * float64(nsPerTick) * 1000 / float64(elapsed)))
}

// vms is the address space: what is resident, libraries, and the stacks of the threads.
func (l *life) vms() int64 { return 2*wholePages(l.peak) + 96<<10 + int64(l.program.threads)*8<<10 }

// pageKiB is the size of a page of memory, in which the kernel counts sizes: 4 KiB on x86-64.
const pageKiB = 4

// wholePages rounds a size in KiB down to whole pages.
func wholePages(kib int64) int64 { return kib - kib%pageKiB }

// capabilities are what the snapshots say of their sampler.
var capabilities = []schema.Capability{
	schema.CapProcesses, schema.CapIO, schema.CapPSI, schema.CapArgvScrubbed, schema.CapSimulated}
