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

// sampler turns readings of /proc into snapshots. It remembers, for each process, what a rate needs.
type sampler struct {
	fs        *procfs.FS
	opt       procfs.Options
	scrubber  *scrub.Scrubber
	jobs      attribution
	started   time.Time
	began     int64 // boot time from which on no other sampler can have been this host's, ns; 0: unknown
	interval  time.Duration
	caps      []string
	gpus      func(now time.Time) []schema.GPU                          // nil: none
	gpuMemory func() map[int]int64                                      // KiB by pid
	syscalls  func(pid int, startTicks uint64) ([]schema.Syscall, bool) // nil: none

	scan  []procfs.Process
	scans int64         // looked at
	past  map[int]*past // by pid
}

// past is what the last sample that had a process knew of it.
type past struct {
	start   uint64
	ticks   uint64
	readAt  time.Duration
	args    []string
	comm    string
	command string
	scan    int64 // number of that sample
}

// look is one sample: the snapshot and when it was taken.
type look struct {
	wall, boot int64
	snapshot   *schema.Snapshot
}

// sample reads the host and its processes. tick is the number of the period it belongs to.
func (s *sampler) sample(tick uint64) (look, error) {
	host, err := s.fs.Host()
	if err != nil {
		return look{}, fmt.Errorf("read the host: %w", err)
	}
	scan, err := s.fs.Processes(s.scan, s.opt)
	if err != nil {
		return look{}, fmt.Errorf("read the processes: %w", err)
	}
	s.scan = scan.Processes
	if over := len(scan.Processes) - schema.MaxProcesses; over > 0 { // more than a snapshot may hold: the youngest pids go
		scan.Processes, scan.Partial, scan.Hidden = scan.Processes[:schema.MaxProcesses], true, scan.Hidden+over
	}
	wall, boot := now()
	snap := &schema.Snapshot{
		Interval: int64(s.interval), Tick: tick,
		DaemonPID: os.Getpid(), Uptime: int64(time.Since(s.started)), CPUs: host.CPUs,
		MemoryTotal: host.Memory.TotalKiB, MemoryAvail: host.Memory.AvailableKiB,
		Load:     [3]int64{x100(host.Load1), x100(host.Load5), x100(host.Load15)},
		Pressure: pressure(host.Pressure), Partial: scan.Partial || scan.Failed > 0, Hidden: scan.Hidden + scan.Failed, Capabilities: s.caps,
		Processes: s.processes(scan.Processes), JobProgress: s.jobs.progress(),
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
	return look{wall, boot, snap}, nil
}

// processes converts a scan, and remembers of it what the next one needs.
func (s *sampler) processes(scan []procfs.Process) []schema.Process {
	s.jobs.assign(scan)
	var gpuMemory map[int]int64
	if s.gpuMemory != nil {
		gpuMemory = s.gpuMemory()
	}
	out := make([]schema.Process, 0, len(scan))
	s.scans++
	for i := range scan {
		p := &scan[i]
		memory, known := s.recall(p)
		before := *memory
		command := s.command(p, before)
		whose := s.jobs.owner(p.PID, p.StartTicks)
		*memory = past{p.StartTicks, p.CPUTicks, p.ReadAt, p.Args, p.Comm, command, s.scans}
		out = append(out, schema.Process{
			PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)),
			CPUPermille: cpuPermille(p, before, known), CPUMillis: p.CPUTicks * 1000 / schema.TicksPerSecond,
			RSS: known64(p.MemoryKnown, p.RSSKiB), VMS: known64(p.MemoryKnown, p.VMSKiB),
			Threads: p.Threads, OpenFDs: known64(p.FDsKnown, uint64(p.OpenFDs)), UID: known64(p.UIDKnown, uint64(p.UID)),
			Command: command, JobID: whose.job, Sheet: whose.sheet,
			ReadKiB: known64(p.IOKnown, p.ReadBytes/1024), WriteKiB: known64(p.IOKnown, p.WriteBytes/1024),
			Cgroup: validText(p.Cgroup, schema.MaxCommand),
		})
		if kib, ok := gpuMemory[p.PID]; ok {
			out[len(out)-1].GPUMemory = schema.Some(kib)
		}
		if s.syscalls != nil {
			out[len(out)-1].Syscalls, _ = s.syscalls(p.PID, p.StartTicks)
		}
	}
	s.forget()
	return out
}

// recall is where what is remembered of a process is kept, and whether something is: of the process, and not of another
// that had its pid.
func (s *sampler) recall(p *procfs.Process) (memory *past, known bool) {
	memory = s.past[p.PID]
	if memory != nil && memory.start == p.StartTicks {
		return memory, true
	}
	if s.past == nil {
		s.past = map[int]*past{}
	}
	memory = new(past)
	s.past[p.PID] = memory
	return memory, false
}

// forget drops who has gone, but for those that went so lately that their exits may not have been taken.
func (s *sampler) forget() {
	for pid, p := range s.past {
		if s.scans-p.scan > s.jobs.keep {
			delete(s.past, pid)
		}
	}
}

// sampled is how much CPU, in milliseconds, the snapshots have of a process: nothing of one that started after this
// sampler and was never in any.
func (s *sampler) sampled(pid int, start uint64) schema.Opt[int64] {
	if p, ok := s.past[pid]; ok && sameStart(p.start, start) {
		return schema.Some(int64(p.ticks) * 1000 / schema.TicksPerSecond)
	}
	if s.began > 0 && int64(start)*nsPerTick > s.began {
		return schema.Some(int64(0))
	}
	return schema.Opt[int64]{}
}

// glance is a look at who lives, between two samples.
func (s *sampler) glance() (lifecycle.Look, error) {
	scan, err := s.fs.Processes(nil, s.opt)
	if err != nil {
		return lifecycle.Look{}, fmt.Errorf("read the processes: %w", err)
	}
	l := lifecycle.Look{}
	l.Wall, l.Boot = now()
	for i := range scan.Processes {
		p := &scan.Processes[i]
		l.Processes = append(l.Processes, schema.Process{PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)),
			CPUMillis: p.CPUTicks * 1000 / schema.TicksPerSecond, UID: known64(p.UIDKnown, uint64(p.UID)),
			Command: s.scrubber.Command(p.Comm, p.Args)})
	}
	return l, nil
}

// command renders the command line, unless it is the one that was rendered before: scans share the slices of
// what has not changed.
func (s *sampler) command(p *procfs.Process, before past) string {
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
func cpuPermille(p *procfs.Process, before past, known bool) schema.Opt[int64] {
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

func x100(v float64) int64 { return int64(math.Round(v * 100)) }

func known64(known bool, v uint64) schema.Opt[int64] {
	if !known || v > math.MaxInt64 {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(v))
}

// now reads both clocks one after the other: Unix nanoseconds and CLOCK_BOOTTIME.
func now() (wall, boot int64) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("clock_gettime(CLOCK_BOOTTIME): %v", err)) // every kernel since 2.6.39 has it
	}
	return time.Now().UnixNano(), ts.Nano()
}
