package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

const (
	simSuspended = int64(1000 * time.Second)          // how long the simulated machine has slept
	simEpoch     = 1_700_000_000 * int64(time.Second) // wall time of its boot
)

// sim is a kernel: it has processes and threads, tells of them as Linux does, and knows what is true.
type sim struct {
	now     int64 // boot time
	procs   map[int]*simProcess
	seq     uint32
	events  []netlink.Event // not yet read
	overrun bool            // some were dropped
	records []netlink.Record
	truth   []string      // what happened to processes, in order
	free    map[int]int64 // by pid: when it was given back
	asked   []int         // whom the tracker had described
	tracker *tracker
	told    []schema.KindedEvent // what was taken, where a test gathers it
}

type simProcess struct {
	pid, ppid int
	started   int64
	command   string
	threads   []int // alive; the first thread's id is the pid
	threaded  bool
	cpu       time.Duration // of all its threads together
}

func newSim(records bool) *sim {
	s := &sim{
		now: simSuspended + 1_000*int64(time.Second), procs: map[int]*simProcess{}, free: map[int]int64{},
	}
	s.procs[1] = &simProcess{pid: 1, command: "init", threads: []int{1}}
	s.tracker = newTracker(s.describe, s.isAlive, records)
	return s
}

func (s *sim) describe(pid int) (Description, bool) {
	s.asked = append(s.asked, pid)
	p := s.procs[pid]
	if p == nil {
		return Description{}, false
	}
	return Description{
		PPID: p.ppid, StartTicks: ticksAt(p.started), UID: schema.Some(int64(1000)), Command: p.command,
	}, true
}

func (s *sim) isAlive(pid int) bool { return s.procs[pid] != nil }

// sleep lets time pass.
func (s *sim) sleep(d time.Duration) { s.now += int64(d) }

func (s *sim) send(e netlink.Event) {
	s.sleep(20 * time.Microsecond)
	e.Seq, e.Time = s.seq, s.now-simSuspended
	s.seq++
	s.events = append(s.events, e)
}

// fork makes a process. Its start is set a little before the event is sent.
func (s *sim) fork(parent, pid int) {
	p := &simProcess{pid: pid, ppid: parent, started: s.now, command: s.procs[parent].command, threads: []int{pid}}
	s.procs[pid] = p
	s.sleep(5 * time.Millisecond)
	s.send(netlink.Event{Kind: netlink.Fork, PID: pid, TGID: pid, ParentPID: parent, ParentTGID: parent})
	s.truth = append(s.truth, fmt.Sprintf("+%d", pid))
}

// thread adds a thread to a process.
func (s *sim) thread(pid, tid int) {
	p := s.procs[pid]
	p.threads, p.threaded = append(p.threads, tid), true
	s.send(netlink.Event{Kind: netlink.Fork, PID: tid, TGID: pid, ParentPID: p.ppid, ParentTGID: p.ppid})
}

// exec has a thread execute a program: all others end first, and it becomes the first.
func (s *sim) exec(pid, tid int, command string) {
	p := s.procs[pid]
	for _, other := range slices.Clone(p.threads) {
		if other != tid {
			s.exit(pid, other, 0)
		}
	}
	p.threads, p.command = []int{pid}, command
	s.send(netlink.Event{Kind: netlink.Exec, PID: pid, TGID: pid})
}

// exit ends a thread, and the process with its last. The record comes before the event.
func (s *sim) exit(pid, tid int, status uint32) {
	p := s.procs[pid]
	s.sleep(20 * time.Microsecond)
	last := len(p.threads) == 1
	s.records = append(s.records, netlink.Record{
		PID: tid, TGID: pid, ParentTGID: p.ppid, UID: 1000, Comm: p.command, Status: status, Last: last,
		Threads: last && p.threaded, Life: time.Duration(s.now - p.started), CPU: 3 * time.Millisecond, System: time.Millisecond, PeakRSS: 100,
		ReadBytes: 2048, WriteBytes: 1024,
	})
	p.cpu += 3 * time.Millisecond
	p.threads = slices.DeleteFunc(p.threads, func(t int) bool { return t == tid })
	if last {
		delete(s.procs, pid)
		s.free[pid] = s.now
		s.truth = append(s.truth, fmt.Sprintf("-%d:%#x:%s", pid, status, p.command))
	}
	s.send(netlink.Event{Kind: netlink.Exit, PID: tid, TGID: pid, Status: status})
}

// exitGroup ends all threads of a process, the given one at last.
func (s *sim) exitGroup(pid int, status uint32) {
	for _, tid := range slices.Clone(s.procs[pid].threads) {
		s.exit(pid, tid, status)
	}
}

// poll has the tracker read what waits.
func (s *sim) poll() (lossy bool) {
	b := batch{clocks: s.clocks(), events: s.events, overrun: s.overrun}
	if s.tracker.records {
		b.records = s.records
	}
	s.events, s.records, s.overrun = nil, nil, false
	return s.tracker.poll(b)
}

func (s *sim) clocks() clocks {
	return clocks{boot: s.now, sinceStart: simSuspended, epochStart: simEpoch}
}

// lose drops waiting events from the n-th on, as a full buffer does, with or without their records.
func (s *sim) lose(n int, records bool) {
	if n < len(s.events) {
		s.events = s.events[:n]
	}
	if records {
		s.records = nil
	}
	s.overrun = true
}

// scan is what /proc shows now.
func (s *sim) scan() Scan {
	l := Scan{Wall: s.now + simEpoch, Boot: s.now}
	for _, pid := range slices.Sorted(maps.Keys(s.procs)) {
		p := s.procs[pid]
		shown := schema.Process{
			PID: pid, PPID: p.ppid, StartTicks: ticksAt(p.started), State: "S", Threads: len(p.threads),
			Command: p.command, UID: schema.Some(int64(1000)), CPUMillis: 7,
		}
		if !slices.Contains(p.threads, pid) {
			shown.State, shown.Threads = "Z", shown.Threads+1
		}
		l.Processes = append(l.Processes, shown)
	}
	return l
}

// observe shows the tracker a scan, with a poll in between.
func (s *sim) observe() {
	l := s.scan()
	s.poll()
	s.tracker.observe(l)
}

// take takes everything in the form of truth.
func (s *sim) take() []string {
	occurred, _ := s.tracker.take(s.now + int64(time.Hour))
	return words(occurred)
}

// words puts occurrences into the form of a sim's truth.
func words(occurred []schema.KindedEvent) []string {
	var out []string
	for _, o := range occurred {
		if o.Kind == schema.KindExec { // the truth is without them; see execs
			continue
		}
		if o.Kind == schema.KindSpawn {
			out = append(out, fmt.Sprintf("+%d", o.Event.PID))
			continue
		}
		status := "?"
		switch e := o.Event; {
		case e.Signal.Known:
			status = fmt.Sprintf("%#x", e.Signal.V)
		case e.ExitCode.Known:
			status = fmt.Sprintf("%#x", e.ExitCode.V<<8)
		}
		out = append(out, fmt.Sprintf("-%d:%s:%s", o.Event.PID, status, o.Event.Command))
	}
	return out
}

func code(n int) uint32 { return uint32(n) << 8 }

const killed = uint32(unix.SIGKILL)
