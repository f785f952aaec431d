package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// Host is one host that does not exist.
type Host struct {
	cfg      *Config
	scratch  *scratch
	index    int
	name     string
	bootID   string
	instance schema.Instance
	random   *rand.Rand

	places  []place
	order   []int32 // of the places, by the pids that are there
	leaves  []int   // places whose processes come and go by themselves
	zombies []int   // places whose processes wait to be reaped
	jobs    []job
	sampler int // place of who takes the snapshots; init where there is no room for one

	cpus        int
	memoryTotal int64 // KiB
	load        [3]int64
	lastPID     int
	jobsBegun   int

	tick    uint64
	boot    int64   // boot time of the last look; before the first step, of one an interval before the first
	credit  float64 // processes that are due to be replaced
	perStep float64 // what a step adds to it
	worked  uint64  // ticks that all processes used since the look before
	active  int     // how many of them ran most of the time
	stuck   int     // how many waited for a disk

	next     map[schema.Kind]uint64
	produced uint64
}

// PIDs begin at 1; when they have come to the end they begin again at firstPID, RESERVED_PIDS in kernel/pid.c.
// The kernel's default end is 32768; systemd raises it on machines with many processes.
const (
	firstPID     = 300
	maxPID       = 32768
	largeMaxPID  = 1 << 22
	largeMachine = 4096 // processes
)

func newHost(cfg *Config, index int, s *scratch) *Host {
	h := &Host{cfg: cfg, scratch: s, index: index, name: fmt.Sprintf("sim-%04d", index+1), random: randomOf(cfg, index),
		next: map[schema.Kind]uint64{}, cpus: 4}
	h.bootID, h.instance = identity(cfg, index)
	for h.cpus < min(cfg.Processes/8, 128) {
		h.cpus *= 2
	}
	h.perStep = cfg.Churn * cfg.Interval.Minutes() * float64(cfg.Processes)
	h.boot = 2*int64(time.Hour) + h.random.Int64N(60*24*int64(time.Hour))
	h.plant()
	for i := range h.jobs {
		j := &h.jobs[i]
		h.begin(j)
		j.sheet = h.random.Int64N(j.of)
		h.beginSheet(j)
	}
	h.settle()
	h.memoryTotal = (h.resident()*3/2>>20 + 1) << 20 // whole GiB, of which about half is free
	return h
}

// Name is the host's token.
func (h *Host) Name() string { return h.name }

// phase is how long after the fleet's start the host takes its first snapshot.
func (c *Config) phase(host int) time.Duration {
	return c.Interval * time.Duration(host) / time.Duration(c.Hosts)
}

// Step lets one interval pass and returns the messages at its end: a snapshot, and what has started and ended since the
// one before. The first step only learns who is there, as a sampler does. The messages are numbered as of one instance
// of a producer; they and all they hold are valid until the next step of any host of the fleet.
func (h *Host) Step() []schema.Message {
	h.scratch.reset()
	h.tick++
	h.boot += int64(h.cfg.Interval)
	if h.tick == 1 {
		h.tellJobs()
	} else {
		h.replace()
	}
	h.work()
	return h.messages()
}

// wall is the wall time of the last look.
func (h *Host) wall() int64 {
	return h.cfg.Start.Add(h.cfg.phase(h.index)).UnixNano() + int64(h.tick-1)*int64(h.cfg.Interval)
}

// wallAt is a boot time as wall time.
func (h *Host) wallAt(boot int64) int64 { return h.wall() - (h.boot - boot) }

// tellJobs says which jobs run.
func (h *Host) tellJobs() {
	for i := range h.jobs {
		h.tell(&h.jobs[i], schema.JobDeclared, h.boot, false)
		h.tell(&h.jobs[i], schema.JobSheetStarted, h.boot, false)
	}
}

// replace lets as many processes end as the churn asks for, and others take their places. None ends that no snapshot
// has shown: a job's step therefore ends in the step of the host after its last process did.
func (h *Host) replace() {
	for i := range h.jobs {
		if h.jobs[i].left <= 0 {
			h.endSheet(&h.jobs[i], h.moment())
		}
	}
	for _, i := range h.zombies {
		if h.places[i].state == zombie { // else it ended with its job's step
			h.replaceOne(i)
		}
	}
	h.zombies = h.zombies[:0]
	h.churn()
}

// churn replaces processes that come and go by themselves, chosen at random.
func (h *Host) churn() {
	h.credit = min(h.credit+h.perStep, float64(len(h.leaves)))
	for n := 0; n < len(h.leaves) && h.credit >= 1; n++ {
		other := n + h.random.IntN(len(h.leaves)-n)
		h.leaves[n], h.leaves[other] = h.leaves[other], h.leaves[n]
		i := h.leaves[n]
		if !h.places[i].seen {
			continue
		}
		h.credit--
		if h.random.IntN(16) == 0 { // its parent has not noticed yet
			h.places[i].state = zombie
			h.zombies = append(h.zombies, i)
			continue
		}
		h.replaceOne(i)
	}
}

// replaceOne lets a process end, and another take its place at once.
func (h *Host) replaceOne(i int) {
	at := h.moment()
	h.exit(i, at)
	h.spawn(i, at)
	h.observeSpawn(i, at)
	if j := h.places[i].job; j != nil {
		j.left--
	}
}

// moment is a boot time since the look before, in whole ticks.
func (h *Host) moment() int64 {
	at := h.boot - nsPerTick - h.random.Int64N(int64(h.cfg.Interval)-2*nsPerTick)
	return at / nsPerTick * nsPerTick
}

// exit takes the process out of its place at a boot time.
func (h *Host) exit(i int, at int64) {
	h.observeExit(i, at)
	pos, _ := h.find(h.places[i].pid)
	h.order = slices.Delete(h.order, pos, pos+1)
}

// spawn puts a new process into a place at a boot time.
func (h *Host) spawn(i int, at int64) {
	p := &h.places[i]
	p.life = born(h.random, &p.programs[h.random.IntN(len(p.programs))], ticksAt(at))
	p.pid = h.newPID()
	if i > 0 {
		p.ppid = h.places[p.parent].pid
	}
	pos, _ := h.find(p.pid)
	h.order = slices.Insert(h.order, pos, int32(i))
}

// find is where a pid is, or would be, in the order.
func (h *Host) find(pid int) (pos int, found bool) {
	return slices.BinarySearchFunc(h.order, pid, func(i int32, pid int) int { return cmp.Compare(h.places[i].pid, pid) })
}

// newPID is the next pid that is free. Some are left out: they were of processes that nobody saw.
func (h *Host) newPID() int {
	if h.lastPID == 0 {
		h.lastPID = 1
		return 1
	}
	end := maxPID
	if h.cfg.Processes > largeMachine {
		end = largeMaxPID
	}
	for {
		if h.lastPID += 1 + h.random.IntN(16); h.lastPID >= end {
			h.lastPID = firstPID + h.random.IntN(16)
		}
		if _, taken := h.find(h.lastPID); !taken {
			return h.lastPID
		}
	}
}

// work lets all processes live until the look.
func (h *Host) work() {
	now := ticksAt(h.boot)
	window := now - ticksAt(h.boot-int64(h.cfg.Interval))
	left := uint64(h.cpus) * window
	h.worked, h.active, h.stuck = 0, 0, 0
	for i := range h.places {
		p := &h.places[i]
		used := p.work(h.random, min(window, now-p.start), left)
		left -= used
		h.worked += used
		switch p.state {
		case running:
			h.active++
		case waiting:
			h.stuck++
		}
	}
	h.age()
}

// age moves the load averages towards how many processes want to run.
func (h *Host) age() {
	want := int64(h.active+h.stuck) * 100
	for i, period := range [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		h.load[i] += (want - h.load[i]) * int64(h.cfg.Interval) / int64(h.cfg.Interval+period)
	}
}

// resident is the memory of all processes, in KiB.
func (h *Host) resident() int64 {
	var sum int64
	for i := range h.places {
		if p := &h.places[i]; p.state != zombie {
			sum += p.rss
		}
	}
	return sum
}
