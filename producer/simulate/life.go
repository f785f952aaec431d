package simulate

import (
	"math/rand/v2"
	"time"

	"github.com/proctape/proctape/schema"
)

// nsPerTick is the unit of start times and CPU time in the kernel, in nanoseconds.
const nsPerTick = int64(time.Second / schema.TicksPerSecond)

// ticksAt is a boot time in the unit of start times.
func ticksAt(boot int64) uint64 { return uint64(boot / nsPerTick) }

// The states a process can be in, as in [schema.Process].
const (
	running  = "R"
	sleeping = "S"
	waiting  = "D"
	zombie   = "Z"
)

// life is one process.
type life struct {
	program   *program
	command   string
	pid, ppid int
	start     uint64 // ticks after boot
	state     string
	seen      bool   // in a snapshot
	cpu       uint64 // ticks since the start
	used      uint64 // ticks since the snapshot before
	base      int64  // KiB around which its memory goes up and down
	rss, peak int64  // KiB
	io        ioTotals
	fds       int
}

type ioTotals struct{ read, write int64 } // KiB since the start

// newLife is a process that has only just started.
func newLife(r *rand.Rand, p *program, start uint64) life {
	base := p.rss*3/4 + r.Int64N(p.rss/2+1)
	return life{program: p, command: p.line(r), start: start, state: sleeping, base: base, rss: base, peak: base, fds: p.fds}
}

// ageUnseen gives a process the totals of a life of so many ticks that nobody saw.
func (l *life) ageUnseen(r *rand.Rand, ticks uint64) {
	l.cpu = ticks * l.program.habit.mean() * r.Uint64N(1001) / 1_000_000
	if l.program.io > 0 {
		done := int64(min(ticks/10, 1<<20))
		l.io = ioTotals{done * r.Int64N(l.program.io) / 100, done * r.Int64N(l.program.io) / 100}
	}
}

// work lets a process live for so many ticks more, of which it may use as many as are left of its host's. It returns
// how many it used.
func (l *life) work(r *rand.Rand, ticks, left uint64) uint64 {
	l.used = 0
	if l.state == zombie {
		return 0
	}
	l.state = sleeping
	habit, chance := &l.program.habit, r.Uint64()
	if uint64(uint32(chance))%habit.every != 0 {
		return 0
	}
	chance >>= 32
	permille := habit.low + chance%(habit.high-habit.low+1)
	l.used = min((ticks*permille+chance%1000)/1000, left)
	l.cpu += l.used
	l.grow(r.Uint64())
	switch {
	case 2*l.used > ticks:
		l.state = running
	case l.program.io > 0 && chance%8 == 0:
		l.state = waiting
	}
	return l.used
}

// grow moves what else a process that does something has: memory up or down, totals of I/O up.
func (l *life) grow(chance uint64) {
	step := l.base/64 + 1
	l.rss = min(max(l.base/2, l.rss+int64(chance%uint64(3*step))-step), 2*l.base)
	l.peak = max(l.peak, l.rss)
	l.fds = l.program.fds + int(chance>>16%4)
	if io := uint64(l.program.io); io > 0 {
		l.io.read += int64(chance >> 20 % io)
		l.io.write += int64(chance >> 40 % io)
	}
}
