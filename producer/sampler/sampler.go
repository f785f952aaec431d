// Package sampler turns readings of /proc into snapshots.
package sampler

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// nsPerTick is the unit of CPU time and of starts in /proc: 1/100 s, in nanoseconds.
const nsPerTick = int64(time.Second / schema.TicksPerSecond)

// Config is what a sampler needs. FS, Scrubber and Claims may not be nil.
type Config struct {
	FS       *procfs.FS
	Table    Table          // is read instead of the processes of FS, as long as it can be; nil: FS
	Options  procfs.Options // of each reading
	OwnPID   int            // of this process as FS knows it; 0 for its own, negative where FS does not know it
	Scrubber *scrub.Scrubber
	Claims   *jobs.Claims // is shown every sample
	// Began is the boot time, in nanoseconds, from which on no other sampler can have been this host's; 0: unknown.
	Began        int64
	Interval     time.Duration       // between samples
	KeepSamples  int64               // samples for which a process that is gone is remembered: its exit may not have been taken yet
	Capabilities []schema.Capability // of every snapshot; that of the table is CapBPF

	GPUs      func(now time.Time) []schema.GPU                             // nil: none
	GPUMemory func() map[int]int64                                         // KiB by pid; nil: unknown
	Group     func() (limit, used int64, ok bool)                          // memory of the control group that is nearest to its limit, KiB; nil: none
	Syscalls  func(p *procfs.Process, job string) ([]schema.Syscall, bool) // since the last sample; nil: none
	Log       *slog.Logger                                                 // is told what cannot be read; default slog.Default()
}

// Sampler makes snapshots. It remembers, for each process, what a rate needs. One goroutine uses it.
type Sampler struct {
	cfg      Config
	reader   processReader
	buffer   []procfs.Process // the last reading, whose memory the next one uses
	samples  int64            // so far
	previous map[int]*previousSample
	troubles troubles
	lastRead time.Duration // when the last sample was read, on CLOCK_BOOTTIME; 0 before the first
	// mostPermille is the most CPU that a process can use, and much more, as the clock may stand between two readings.
	mostPermille int64
}

// New returns a sampler that has taken no sample. The caller closes cfg.FS.
func New(cfg Config) *Sampler {
	log := cmp.Or(cfg.Log, slog.Default())
	return &Sampler{cfg: cfg, reader: processReader{fs: cfg.FS, table: cfg.Table, options: cfg.Options, log: log}, previous: map[int]*previousSample{},
		mostPermille: math.MaxInt64, troubles: troubles{log: log, failed: map[string]int64{}}}
}

// previousSample is what the last sample that had a process knew of it.
type previousSample struct {
	start   uint64
	ticks   uint64
	readAt  time.Duration
	args    []string
	comm    string
	command string
	number  int64 // of that sample
}

// TimedSnapshot is a snapshot and when it was taken: Unix nanoseconds, and nanoseconds of CLOCK_BOOTTIME.
type TimedSnapshot struct {
	Wall, Boot int64
	Snapshot   *schema.Snapshot
}

// Sample reads the host and its processes. Tick is the number of the period that the sample belongs to, uptime how long
// the sampler has run.
func (s *Sampler) Sample(tick uint64, uptime time.Duration) (TimedSnapshot, error) {
	host, err := s.cfg.FS.Host()
	if err != nil {
		return TimedSnapshot{}, fmt.Errorf("read the host: %w", err)
	}
	scan, err := s.reader.read(s.buffer)
	if err != nil {
		return TimedSnapshot{}, err
	}
	s.buffer = scan.Processes
	s.mostPermille = 10_000 * int64(max(host.CPUs, runtime.NumCPU(), 1))
	if over := len(scan.Processes) - schema.MaxProcesses; over > 0 { // more than a snapshot may hold: the youngest pids go
		scan.Processes, scan.Partial, scan.Hidden = scan.Processes[:schema.MaxProcesses], true, scan.Hidden+over
	}
	wall, boot := procfs.ReadClocks()
	snap := &schema.Snapshot{
		Interval: int64(s.cfg.Interval), Tick: tick,
		DaemonPID: os.Getpid(), Uptime: int64(uptime), Partial: scan.Partial, Hidden: scan.Hidden + scan.Lost,
		Capabilities: s.reader.capabilities(s.cfg.Capabilities), Processes: s.convert(scan.Processes), JobProgress: s.cfg.Claims.Progress(),
	}
	setHost(snap, &host)
	if s.cfg.Group != nil {
		setGroup(snap, s.cfg.Group)
	}
	snap.PressureLevel = snap.LevelOfPressure()
	s.troubles.report(s.samples, append(host.Failures, scan.Failures...))
	s.addGPUs(snap)
	snap.RunningJobs, snap.ActiveSheets = countJobs(&snap.Processes)
	if s.cfg.OwnPID > 0 {
		snap.DaemonPID = s.cfg.OwnPID
	}
	if row, ok := snap.Processes.Find(snap.DaemonPID); ok && s.cfg.OwnPID >= 0 {
		snap.DaemonRSS = uint64(snap.Processes.Number(metric.RSS, row).Or(0))
	}
	return TimedSnapshot{wall, boot, snap}, nil
}

// addGPUs puts the GPUs into a snapshot, and that they can be seen once one of them has answered.
func (s *Sampler) addGPUs(snap *schema.Snapshot) {
	if s.cfg.GPUs == nil {
		return
	}
	snap.GPUs = s.cfg.GPUs(time.Now())
	answered := func(g schema.GPU) bool {
		return g.Utilization.Known || g.MemoryUsed.Known || g.MemoryTotal.Known || g.Temperature.Known
	}
	if slices.ContainsFunc(snap.GPUs, answered) {
		snap.Capabilities = append(slices.Clip(snap.Capabilities), schema.CapGPU)
	}
}

// convert turns a reading into the processes of a snapshot, and remembers what the next one needs of it.
func (s *Sampler) convert(scan []procfs.Process) (out schema.Processes) {
	s.cfg.Claims.Observe(scan)
	var gpuMemory map[int]int64
	if s.cfg.GPUMemory != nil {
		gpuMemory = s.cfg.GPUMemory()
	}
	out.Grow(len(scan))
	s.samples++
	for i := range scan {
		p := &scan[i]
		memory, known := s.previousOf(p)
		before := *memory
		command := s.renderCommand(p, before)
		owner := s.cfg.Claims.OwnerOf(p.PID, p.StartTicks)
		*memory = previousSample{p.StartTicks, p.CPUTicks, p.ReadAt, p.Args, p.Comm, command, s.samples}
		if !p.CPUKnown {
			memory.readAt = before.readAt // the rate from then on has all the time in it
		}
		row := schema.Process{
			PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)),
			CPUPermille: s.cpuPermille(p, before, known), CPUMillis: p.CPUTicks * 1000 / schema.TicksPerSecond,
			RSS: optUint(p.MemoryKnown, p.RSSKiB), VMS: optUint(p.MemoryKnown, p.VMSKiB),
			Threads: p.Threads, OpenFDs: optUint(p.FDsKnown, uint64(p.OpenFDs)), FDLimit: optUint(p.FDLimitKnown, uint64(p.FDLimit)), UID: optUint(p.UIDKnown, uint64(p.UID)),
			Command: command, JobID: owner.Job, Fleet: owner.Fleet, Sheet: owner.Sheet,
			ReadKiB: optUint(p.IOKnown, p.ReadBytes/1024), WriteKiB: optUint(p.IOKnown, p.WriteBytes/1024), Cancelled: optUint(p.IOKnown, p.CancelledBytes/1024),
			Sent: optUint(p.NetworkKnown, p.SentBytes/1024), Received: optUint(p.NetworkKnown, p.ReceivedBytes/1024),
			Cgroup: procfs.ValidText(p.Cgroup, schema.MaxCommand),
			Swap:   optUint(p.StatusKnown, p.SwapKiB), Hugetlb: optUint(p.StatusKnown, p.HugetlbKiB),
			RunDelay:            optUint(p.RunDelayKnown, p.RunDelay/1e6),
			VoluntarySwitches:   optUint(p.StatusKnown, p.VoluntarySwitches),
			InvoluntarySwitches: optUint(p.StatusKnown, p.InvoluntarySwitches),
			MinorFaults:         optUint(p.FaultsKnown, p.MinorFaults), MajorFaults: optUint(p.FaultsKnown, p.MajorFaults),
		}
		if kib, ok := gpuMemory[p.PID]; ok {
			row.GPUMemory = schema.Some(kib)
		}
		if s.cfg.Syscalls != nil {
			row.Syscalls, _ = s.cfg.Syscalls(p, owner.Job)
		}
		out.Append(&row)
	}
	s.dropGone()
	if len(scan) > 0 {
		s.lastRead = scan[0].ReadAt
	}
	return out
}

// previousOf is where the previous sample of a process is kept, and whether there is one: of this process, and not of
// another that had its pid.
func (s *Sampler) previousOf(p *procfs.Process) (memory *previousSample, known bool) {
	memory = s.previous[p.PID]
	if memory != nil && memory.start == p.StartTicks {
		return memory, true
	}
	memory = new(previousSample)
	s.previous[p.PID] = memory
	return memory, false
}

// dropGone drops the processes that are gone, except those whose exits may not have been taken yet.
func (s *Sampler) dropGone() {
	for pid, p := range s.previous {
		if s.samples-p.number > s.cfg.KeepSamples {
			delete(s.previous, pid)
		}
	}
}

// SampledCPU is how much CPU, in milliseconds, the snapshots have of the process that has the pid and began at start, in
// ticks: nothing of one that started after this sampler and was never in any; unknown of one that was there before.
func (s *Sampler) SampledCPU(pid int, start uint64) schema.Opt[int64] {
	if p, ok := s.previous[pid]; ok && jobs.SameStart(p.start, start) {
		return schema.Some(int64(p.ticks) * 1000 / schema.TicksPerSecond)
	}
	if s.cfg.Began > 0 && int64(start)*nsPerTick > s.cfg.Began {
		return schema.Some(int64(0))
	}
	return schema.Opt[int64]{}
}

// ListProcesses reads which processes live, between two samples.
func (s *Sampler) ListProcesses() (lifecycle.Scan, error) {
	scan, err := s.reader.read(nil)
	if err != nil {
		return lifecycle.Scan{}, err
	}
	l := lifecycle.Scan{}
	l.Wall, l.Boot = procfs.ReadClocks()
	for i := range scan.Processes {
		p := &scan.Processes[i]
		l.Processes = append(l.Processes, schema.Process{PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)),
			CPUMillis: p.CPUTicks * 1000 / schema.TicksPerSecond, UID: optUint(p.UIDKnown, uint64(p.UID)),
			Command: s.cfg.Scrubber.Command(p.Comm, p.Args)})
	}
	return l, nil
}

// renderCommand renders the command line, unless it is the one that was rendered before: scans share the slices of
// what has not changed.
func (s *Sampler) renderCommand(p *procfs.Process, before previousSample) string {
	if before.command != "" && before.comm == p.Comm && sameSlice(before.args, p.Args) {
		return before.command
	}
	return s.cfg.Scrubber.Command(p.Comm, p.Args)
}

// sameSlice reports whether a and b are the same memory, or both empty.
func sameSlice(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// cpuPermille is the CPU used between two readings of a process, in thousandths of one core. A process that is read for
// the first time has its mean since it started, if it started since the last reading of all processes: what an older one
// does now is not known.
func (s *Sampler) cpuPermille(p *procfs.Process, before previousSample, known bool) schema.Opt[int64] {
	if !p.CPUKnown {
		return schema.Opt[int64]{}
	}
	ticks, elapsed := p.CPUTicks, p.ReadAt-time.Duration(int64(p.StartTicks)*nsPerTick)
	if !known || before.readAt == 0 {
		since := s.cfg.Interval
		if s.lastRead > 0 {
			since = max(since, p.ReadAt-s.lastRead)
		}
		if elapsed > since {
			return schema.Opt[int64]{}
		}
	} else {
		if ticks < before.ticks { // a counter does not fall; whatever this is, it is no rate
			return schema.Opt[int64]{}
		}
		ticks, elapsed = ticks-before.ticks, p.ReadAt-before.readAt
	}
	rate := permille(ticks, elapsed)
	if rate.V > s.mostPermille { // a counter that jumped
		return schema.Opt[int64]{}
	}
	return rate
}
