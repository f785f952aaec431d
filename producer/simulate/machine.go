package simulate

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// PIDs begin at 1; when they have come to the end they begin again at firstPID, RESERVED_PIDS in kernel/pid.c.
// The kernel's default end is 32768; systemd raises it on machines with many processes.
const (
	firstPID     = 300
	maxPID       = 32768
	largeMaxPID  = 1 << 22
	largeMachine = 4096 // processes
)

// machine is the processes of a host, and what they use.
type machine struct {
	hostClock
	random *rand.Rand

	places  []place
	order   []int32 // of the places, by the pids that are there
	leaves  []int   // places whose processes come and go by themselves
	jobs    []job
	sampler int // place of the process that takes the snapshots; init where there is no room for one

	cpus        int
	memoryTotal int64 // KiB
	load        [3]int64
	lastPID     int
	worked      uint64 // ticks that all processes used since the last snapshot
	active      int    // how many of them ran most of the time
	stuck       int    // how many waited for a disk
}

// timeSinceSnapshot is a random boot time since the last snapshot, in whole ticks.
func (m *machine) timeSinceSnapshot() int64 {
	at := m.boot - nsPerTick - m.random.Int64N(int64(m.cfg.Interval)-2*nsPerTick)
	return at / nsPerTick * nsPerTick
}

// find is where a pid is, or would be, in the order.
func (m *machine) find(pid int) (pos int, found bool) {
	return slices.BinarySearchFunc(m.order, pid, func(i int32, pid int) int { return cmp.Compare(m.places[i].pid, pid) })
}

// newPID is the next pid that is free. Some are left out: they were of processes that nobody saw.
func (m *machine) newPID() int {
	if m.lastPID == 0 {
		m.lastPID = 1
		return 1
	}
	end := maxPID
	if m.cfg.Processes > largeMachine {
		end = largeMaxPID
	}
	for {
		if m.lastPID += 1 + m.random.IntN(16); m.lastPID >= end {
			m.lastPID = firstPID + m.random.IntN(16)
		}
		if _, taken := m.find(m.lastPID); !taken {
			return m.lastPID
		}
	}
}

// spawn puts a new process into a place at a boot time.
func (m *machine) spawn(i int, at int64) {
	p := &m.places[i]
	p.life = newLife(m.random, &p.programs[m.random.IntN(len(p.programs))], ticksAt(at))
	p.pid = m.newPID()
	if i > 0 {
		p.ppid = m.places[p.parent].pid
	}
	pos, _ := m.find(p.pid)
	m.order = slices.Insert(m.order, pos, int32(i))
}

// vacate takes the process out of its place.
func (m *machine) vacate(i int) {
	pos, _ := m.find(m.places[i].pid)
	m.order = slices.Delete(m.order, pos, pos+1)
}

// resident is the memory of all processes, in KiB.
func (m *machine) resident() int64 {
	var sum int64
	for i := range m.places {
		if p := &m.places[i]; p.state != zombie {
			sum += p.rss
		}
	}
	return sum
}

// ownerOf is what a place belongs to. The root of a job is in none of its steps.
func (m *machine) ownerOf(i int) (job string, sheet schema.Opt[int64], cgroup string) {
	p := &m.places[i]
	if p.job == nil {
		return "", schema.Opt[int64]{}, p.cgroup
	}
	if i > p.job.first {
		sheet = schema.Some(p.job.sheet)
	}
	return p.job.name, sheet, p.job.cgroup
}

// work has all processes use CPU until the next snapshot.
func (m *machine) work() {
	now := ticksAt(m.boot)
	window := now - ticksAt(m.boot-int64(m.cfg.Interval))
	left := uint64(m.cpus) * window
	m.worked, m.active, m.stuck = 0, 0, 0
	for i := range m.places {
		p := &m.places[i]
		used := p.work(m.random, min(window, now-p.start), left)
		left -= used
		m.worked += used
		switch p.state {
		case running:
			m.active++
		case waiting:
			m.stuck++
		}
	}
	m.age()
}

// age moves the load averages towards how many processes want to run.
func (m *machine) age() {
	want := int64(m.active+m.stuck) * 100
	for i, period := range [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		m.load[i] += (want - m.load[i]) * int64(m.cfg.Interval) / int64(m.cfg.Interval+period)
	}
}
