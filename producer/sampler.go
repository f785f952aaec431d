package producer

import (
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// nsPerTick is the unit of CPU time in /proc: 1/100 s.
const nsPerTick = int64(time.Second / schema.TicksPerSecond)

// Sampler turns readings of /proc into snapshots. It remembers, for each process, what a rate needs.
type Sampler struct {
	fs        *procfs.FS
	opt       procfs.Options
	scrubber  *scrub.Scrubber
	claims    Claims
	started   time.Time
	began     int64 // boot time from which on no other sampler can have been this host's, ns; 0: unknown
	interval  time.Duration
	caps      []string
	gpus      func(now time.Time) []schema.GPU                          // nil: none
	gpuMemory func() map[int]int64                                      // KiB by pid
	syscalls  func(pid int, startTicks uint64) ([]schema.Syscall, bool) // nil: none

	scan     []procfs.Process
	samples  int64                   // looked at
	previous map[int]*previousSample // by pid
}

// previousSample is what the last sample that had a process knew of it.
type previousSample struct {
	start   uint64
	ticks   uint64
	readAt  time.Duration
	args    []string
	comm    string
	command string
	number  int64 // number of that sample
}

// Sample is one sample: the snapshot and when it was taken.
type Sample struct {
	Wall, Boot int64
	Snapshot   *schema.Snapshot
}

// Sample reads the host and its processes. tick is the number of the period it belongs to.
func (s *Sampler) Sample(tick uint64) (Sample, error) {
	host, err := s.fs.Host()
	if err != nil {
		return Sample{}, fmt.Errorf("read the host: %w", err)
	}
	scan, err := s.fs.Processes(s.scan, s.opt)
	if err != nil {
		return Sample{}, fmt.Errorf("read the processes: %w", err)
	}
	s.scan = scan.Processes
	if over := len(scan.Processes) - schema.MaxProcesses; over > 0 { // more than a snapshot may hold: the youngest pids go
		scan.Processes, scan.Partial, scan.Hidden = scan.Processes[:schema.MaxProcesses], true, scan.Hidden+over
	}
	wall, boot := ReadClocks()
	snap := &schema.Snapshot{
		Interval: int64(s.interval), Tick: tick,
		DaemonPID: os.Getpid(), Uptime: int64(time.Since(s.started)), CPUs: host.CPUs,
		MemoryTotal: host.Memory.TotalKiB, MemoryAvail: host.Memory.AvailableKiB,
		Load:     [3]int64{hundredths(host.Load1), hundredths(host.Load5), hundredths(host.Load15)},
		Pressure: convertPressure(host.Pressure), Partial: scan.Partial || scan.Failed > 0, Hidden: scan.Hidden + scan.Failed, Capabilities: s.caps,
		Processes: s.convert(scan.Processes), JobProgress: s.claims.Progress(),
	}
	if s.gpus != nil {
		snap.GPUs = s.gpus(time.Now())
	}
	snap.PressureLevel = pressureLevel(host.Memory, snap.Pressure)
	snap.RunningJobs, snap.ActiveSheets = countJobs(snap.Processes)
	for i := range snap.Processes {
		if p := &snap.Processes[i]; p.PID == snap.DaemonPID {
			snap.DaemonRSS = uint64(p.RSS.Or(0))
		}
	}
	return Sample{wall, boot, snap}, nil
}

// convert converts a scan, and remembers of it what the next one needs.
func (s *Sampler) convert(scan []procfs.Process) []schema.Process {
	s.claims.Observe(scan)
	var gpuMemory map[int]int64
	if s.gpuMemory != nil {
		gpuMemory = s.gpuMemory()
	}
	out := make([]schema.Process, 0, len(scan))
	s.samples++
	for i := range scan {
		p := &scan[i]
		memory, known := s.previousOf(p)
		before := *memory
		command := s.renderCommand(p, before)
		whose := s.claims.OwnerOf(p.PID, p.StartTicks)
		*memory = previousSample{p.StartTicks, p.CPUTicks, p.ReadAt, p.Args, p.Comm, command, s.samples}
		out = append(out, schema.Process{
			PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)),
			CPUPermille: cpuPermille(p, before, known), CPUMillis: p.CPUTicks * 1000 / schema.TicksPerSecond,
			RSS: optUint(p.MemoryKnown, p.RSSKiB), VMS: optUint(p.MemoryKnown, p.VMSKiB),
			Threads: p.Threads, OpenFDs: optUint(p.FDsKnown, uint64(p.OpenFDs)), UID: optUint(p.UIDKnown, uint64(p.UID)),
			Command: command, JobID: whose.Job, Sheet: whose.Sheet,
			ReadKiB: optUint(p.IOKnown, p.ReadBytes/1024), WriteKiB: optUint(p.IOKnown, p.WriteBytes/1024),
			Cgroup: ValidText(p.Cgroup, schema.MaxCommand),
		})
		if kib, ok := gpuMemory[p.PID]; ok {
			out[len(out)-1].GPUMemory = schema.Some(kib)
		}
		if s.syscalls != nil {
			out[len(out)-1].Syscalls, _ = s.syscalls(p.PID, p.StartTicks)
		}
	}
	s.dropGone()
	return out
}

// previousOf is where what is remembered of a process is kept, and whether something is: of the process, and not of another
// that had its pid.
func (s *Sampler) previousOf(p *procfs.Process) (memory *previousSample, known bool) {
	memory = s.previous[p.PID]
	if memory != nil && memory.start == p.StartTicks {
		return memory, true
	}
	if s.previous == nil {
		s.previous = map[int]*previousSample{}
	}
	memory = new(previousSample)
	s.previous[p.PID] = memory
	return memory, false
}

// dropGone drops who has gone, but for those that went so lately that their exits may not have been taken.
func (s *Sampler) dropGone() {
	for pid, p := range s.previous {
		if s.samples-p.number > s.claims.keepScans {
			delete(s.previous, pid)
		}
	}
}

// SampledCPU is how much CPU, in milliseconds, the snapshots have of a process: nothing of one that started after this
// sampler and was never in any.
func (s *Sampler) SampledCPU(pid int, start uint64) schema.Opt[int64] {
	if p, ok := s.previous[pid]; ok && sameStart(p.start, start) {
		return schema.Some(int64(p.ticks) * 1000 / schema.TicksPerSecond)
	}
	if s.began > 0 && int64(start)*nsPerTick > s.began {
		return schema.Some(int64(0))
	}
	return schema.Opt[int64]{}
}

// ListProcesses is a look at who lives, between two samples.
func (s *Sampler) ListProcesses() (lifecycle.Scan, error) {
	scan, err := s.fs.Processes(nil, s.opt)
	if err != nil {
		return lifecycle.Scan{}, fmt.Errorf("read the processes: %w", err)
	}
	l := lifecycle.Scan{}
	l.Wall, l.Boot = ReadClocks()
	for i := range scan.Processes {
		p := &scan.Processes[i]
		l.Processes = append(l.Processes, schema.Process{PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)),
			CPUMillis: p.CPUTicks * 1000 / schema.TicksPerSecond, UID: optUint(p.UIDKnown, uint64(p.UID)),
			Command: s.scrubber.Command(p.Comm, p.Args)})
	}
	return l, nil
}

// renderCommand renders the command line, unless it is the one that was rendered before: scans share the slices of
// what has not changed.
func (s *Sampler) renderCommand(p *procfs.Process, before previousSample) string {
	if before.command != "" && before.comm == p.Comm && sameSlice(before.args, p.Args) {
		return before.command
	}
	return s.scrubber.Command(p.Comm, p.Args)
}

// sameSlice reports whether a and b are the same memory, or both empty.
func sameSlice(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// cpuPermille is the CPU used between two readings of a process, in thousandths of one core. A process seen for
// the first time has its mean since it started.
func cpuPermille(p *procfs.Process, before previousSample, known bool) schema.Opt[int64] {
	ticks, elapsed := p.CPUTicks, p.ReadAt-time.Duration(int64(p.StartTicks)*nsPerTick)
	if known {
		if ticks < before.ticks { // a counter does not fall; whatever this is, it is no rate
			return schema.Opt[int64]{}
		}
		ticks, elapsed = ticks-before.ticks, p.ReadAt-before.readAt
	}
	if elapsed <= 0 {
		return schema.Opt[int64]{}
	}
	rate := float64(ticks) * float64(nsPerTick) * 1000 / float64(elapsed)
	return schema.Some(int64(math.Round(rate)))
}

// countJobs counts the jobs, and the steps of jobs, that have a process.
func countJobs(procs []schema.Process) (jobs, sheets int) {
	type step struct {
		job   string
		sheet schema.Opt[int64]
	}
	seenJobs, seenSteps := map[string]bool{}, map[step]bool{}
	for i := range procs {
		p := &procs[i]
		if p.JobID == "" {
			continue
		}
		seenJobs[p.JobID] = true
		if p.Sheet.Known {
			seenSteps[step{p.JobID, p.Sheet}] = true
		}
	}
	return len(seenJobs), len(seenSteps)
}

func hundredths(v float64) int64 { return int64(math.Round(v * 100)) }

func optUint(known bool, v uint64) schema.Opt[int64] {
	if !known || v > math.MaxInt64 {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(v))
}

// ReadClocks reads both clocks one after the other: Unix nanoseconds and CLOCK_BOOTTIME.
func ReadClocks() (wall, boot int64) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("clock_gettime(CLOCK_BOOTTIME): %v", err)) // every kernel since 2.6.39 has it
	}
	return time.Now().UnixNano(), ts.Nano()
}
