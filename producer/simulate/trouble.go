package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// Trouble is a kind of real trouble that a host can have: its processes come on top of the others.
type Trouble struct {
	Kind   string
	Doc    string
	Begin  time.Duration // after the first snapshot
	Length time.Duration
	act    func(t *troubled, s *schema.Snapshot, sc *scratch)
}

// Troubles are all kinds of trouble. Their names are those of the rules that are to find them.
var Troubles = []Trouble{
	{"memory_spike", "a process has 200 MiB, then 700", 5 * time.Minute, 2 * time.Minute, memorySpike},
	{"runaway_process", "a process that slept uses a whole processor", 5 * time.Minute, 15 * time.Minute, runaway},
	{"zombie", "three processes have ended, and their parent does not wait for them", 5 * time.Minute, 5 * time.Minute, zombies},
	{"fd_exhaustion", "a process that may have 1600 files open has 800, then 1500", 5 * time.Minute, 5 * time.Minute, exhaustion},
	{"memory_pressure", "5 % of the memory is left", 5 * time.Minute, 5 * time.Minute, memoryPressure},
	{"oom", "the kernel kills a process", 5 * time.Minute, 0, outOfMemory},
	{"crash_loop", "a program dies every 20 seconds, and is started again", 5 * time.Minute, 5 * time.Minute, crashLoop},
	{"fork_storm", "1500 processes start within a few seconds, and stay", 5 * time.Minute, 2 * time.Minute, forkStorm},
	{"leak", "a process grows by 90 MiB an hour", 5 * time.Minute, 4 * time.Hour, leak},
	{"orphan", "a process of a job goes on when its parent is gone", 5 * time.Minute, 5 * time.Minute, orphan},
	{"stuck_in_d", "a process waits in the kernel", 5 * time.Minute, 5 * time.Minute, stuck},
	{"thread_growth", "a process with 200 threads starts 5 a minute, and keeps them", 5 * time.Minute, 2 * time.Hour, threadGrowth},
	{"fd_growth", "a process that may have 1024 files open opens 5 a minute, and closes none", 5 * time.Minute, 2 * time.Hour, fdGrowth},
	{"cpu_starvation", "programs wait for a processor nearly all of the time", 5 * time.Minute, 6 * time.Minute, starvation},
	{"gpu_idle", "a job holds memory of a GPU that does nothing", 5 * time.Minute, 25 * time.Minute, idleGPU},
}

// TroubleKinds are the names of all kinds of trouble.
func TroubleKinds() (kinds []string) {
	for _, t := range Troubles {
		kinds = append(kinds, t.Kind)
	}
	return kinds
}

// troubled is the trouble of one host.
type troubled struct {
	Trouble
	*hostClock
	start uint64        // of its processes, ticks after boot: an hour before the first snapshot
	since time.Duration // since the trouble began; negative before
}

// addTrouble adds the trouble of a host to what the last step made.
func addTrouble(h *Host) {
	at := slices.IndexFunc(Troubles, func(t Trouble) bool { return t.Kind == h.cfg.Trouble })
	if at < 0 {
		return
	}
	t := &troubled{Trouble: Troubles[at], hostClock: &h.hostClock}
	elapsed := time.Duration(h.tick-1) * h.cfg.Interval
	t.start, t.since = ticksAt(h.boot-int64(elapsed)-int64(time.Hour)), elapsed-t.Begin
	t.act(t, &h.scratch.snapshot, h.scratch)
}

// goesOn reports whether the host is in trouble.
func (t *troubled) goesOn() bool { return t.since >= 0 && t.since < t.Length }

// begins reports whether the trouble begins with this snapshot.
func (t *troubled) begins() bool { return t.since >= 0 && t.since < t.cfg.Interval }

// troublePID is the first pid of processes in trouble; all others are below.
const troublePID = largeMaxPID - 1<<15

// process is a process of the trouble, which is not yet in trouble.
func (t *troubled) process(n int, name string) schema.Process {
	return schema.Process{PID: troublePID + n, PPID: 1, StartTicks: t.start + uint64(n), State: sleeping, CPUPermille: schema.Some[int64](2), CPUMillis: 7_000,
		RSS: schema.Some[int64](64 << 10), VMS: schema.Some[int64](256 << 10), Threads: 4, OpenFDs: schema.Some[int64](20), UID: schema.Some[int64](1000),
		Command: "/opt/trouble/" + name + " --serve", Cgroup: "/system.slice/trouble.service", ReadKiB: schema.Some[int64](0), WriteKiB: schema.Some[int64](0)}
}

// one adds the one process of the trouble, which change changes while it is in trouble.
func (t *troubled) one(s *schema.Snapshot, change func(p *schema.Process)) {
	p := t.process(0, t.Kind)
	if t.goesOn() {
		change(&p)
	}
	s.Processes.Append(&p)
}

func memorySpike(t *troubled, s *schema.Snapshot, _ *scratch) {
	p := t.process(0, t.Kind)
	if p.RSS = schema.Some[int64](200 << 10); t.goesOn() {
		p.RSS = schema.Some[int64](700 << 10)
	}
	s.Processes.Append(&p)
}

func runaway(t *troubled, s *schema.Snapshot, _ *scratch) {
	t.one(s, func(p *schema.Process) {
		p.State, p.CPUPermille = running, schema.Some[int64](985)
		p.CPUMillis += uint64(t.since.Milliseconds())
	})
}

func zombies(t *troubled, s *schema.Snapshot, _ *scratch) {
	parent := t.process(0, t.Kind)
	s.Processes.Append(&parent)
	for n := range 3 {
		child := t.process(n+1, "child")
		if child.PPID = parent.PID; t.goesOn() {
			child.State, child.RSS, child.VMS, child.OpenFDs = zombie, schema.Some[int64](0), schema.Some[int64](0), schema.Opt[int64]{}
		} else if t.since >= 0 { // it was waited for
			continue
		}
		s.Processes.Append(&child)
	}
}

func exhaustion(t *troubled, s *schema.Snapshot, _ *scratch) {
	p := t.process(0, t.Kind)
	if p.OpenFDs = schema.Some[int64](800); t.goesOn() {
		p.OpenFDs = schema.Some[int64](1500)
	}
	p.FDLimit = schema.Some[int64](1600)
	s.Processes.Append(&p)
}

func memoryPressure(t *troubled, s *schema.Snapshot, _ *scratch) {
	if t.goesOn() {
		s.MemoryAvail = s.MemoryTotal / 20
	}
}

func outOfMemory(t *troubled, s *schema.Snapshot, sc *scratch) {
	p := t.process(0, t.Kind)
	if t.since < 0 {
		s.Processes.Append(&p)
	}
	if t.begins() {
		e := t.event(&p, t.boot-nsPerTick)
		e.Signal, e.PeakRSS = schema.Some[int64](9), schema.Some[int64](3<<20)
		sc.exits, sc.ooms = append(sc.exits, e), append(sc.ooms, e)
	}
}

// event is an event of a process of the trouble at a boot time.
func (t *troubled) event(p *schema.Process, at int64) schema.Event {
	return schema.Event{Wall: t.wallAt(at), Boot: at, PID: p.PID, PPID: schema.Some(int64(p.PPID)), StartTicks: p.StartTicks, UID: p.UID, Command: p.Command,
		Source: Source, Lifetime: schema.Some((at - int64(p.StartTicks)*nsPerTick) / 1e6)}
}

func crashLoop(t *troubled, _ *schema.Snapshot, sc *scratch) {
	const every = 20 * time.Second
	if !t.goesOn() || t.since%every >= t.cfg.Interval {
		return
	}
	p := t.process(int(t.since/every), t.Kind)
	p.StartTicks = ticksAt(t.boot - int64(2*time.Second))
	e := t.event(&p, t.boot-nsPerTick)
	e.ExitCode = schema.Some[int64](1)
	sc.spawns, sc.exits = append(sc.spawns, t.event(&p, t.boot-int64(2*time.Second))), append(sc.exits, e)
}

func forkStorm(t *troubled, s *schema.Snapshot, _ *scratch) {
	if !t.goesOn() {
		return
	}
	for n := range 1500 {
		p := t.process(n, t.Kind)
		p.StartTicks, p.RSS = ticksAt(t.boot-int64(t.since))-1, schema.Some[int64](512)
		s.Processes.Append(&p)
	}
}

func leak(t *troubled, s *schema.Snapshot, _ *scratch) {
	p := t.process(0, t.Kind)
	grown := min(max(t.since, 0), t.Length)
	p.RSS = schema.Some(100<<10 + wholePages(int64(grown.Hours()*90*1024)))
	if t.since < t.Length { // then it is started anew
		s.Processes.Append(&p)
	}
}

func orphan(t *troubled, s *schema.Snapshot, _ *scratch) {
	parent, child := t.process(0, "make"), t.process(1, t.Kind)
	parent.JobID, child.JobID, child.PPID = "in-trouble", "in-trouble", parent.PID
	switch {
	case t.since < 0:
		s.Processes.Append(&parent)
	case !t.goesOn():
		return
	default:
		child.PPID = 1
	}
	s.Processes.Append(&child)
}

func stuck(t *troubled, s *schema.Snapshot, _ *scratch) {
	t.one(s, func(p *schema.Process) { p.State, p.CPUPermille = waiting, schema.Some[int64](0) })
}

func threadGrowth(t *troubled, s *schema.Snapshot, _ *scratch) {
	p := t.process(0, t.Kind)
	if p.Threads = 200; t.goesOn() {
		p.Threads += int(t.since.Minutes() * 5)
	}
	if t.since < t.Length { // then it is started anew
		s.Processes.Append(&p)
	}
}

func fdGrowth(t *troubled, s *schema.Snapshot, _ *scratch) {
	p := t.process(0, t.Kind)
	if p.OpenFDs = schema.Some[int64](300); t.goesOn() {
		p.OpenFDs.V += int64(t.since.Minutes() * 5)
	}
	p.FDLimit = schema.Some[int64](1024)
	if t.since < t.Length { // then it is started anew
		s.Processes.Append(&p)
	}
}

func starvation(t *troubled, s *schema.Snapshot, _ *scratch) {
	if t.goesOn() {
		s.Pressure.CPUSome = schema.Some[int64](9300)
		s.Load[0] = int64(s.CPUs) * 10_00
	}
}

func idleGPU(t *troubled, s *schema.Snapshot, _ *scratch) {
	p := t.process(0, "train")
	p.JobID, p.GPUMemory = "in-trouble", schema.Some[int64](8<<20)
	gpu := schema.GPU{Utilization: schema.Some[int64](870), MemoryUsed: schema.Some[int64](8 << 20), MemoryTotal: schema.Some[int64](16 << 20), Temperature: schema.Some[int64](610)}
	if t.goesOn() {
		gpu.Utilization = schema.Some[int64](0)
	}
	s.GPUs = []schema.GPU{gpu}
	s.Processes.Append(&p)
}

// checkTrouble returns a *[FieldError] for a trouble that there is not.
func checkTrouble(c *Config) error {
	if c.Trouble == "" {
		return nil
	}
	if !slices.Contains(TroubleKinds(), c.Trouble) {
		return &FieldError{"trouble", c.Trouble, fmt.Sprintf("one of %v", TroubleKinds())}
	}
	if c.Processes > largeMachine {
		return &FieldError{"processes", c.Processes, fmt.Sprintf("at most %d on hosts with trouble", largeMachine)}
	}
	return nil
}
