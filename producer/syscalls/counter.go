package syscalls

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/schema"
)

// process is one of the host.
type process struct {
	pid   int
	start uint64 // in ticks
}

// tally is what a process did, by name of the call.
type tally struct {
	start uint64 // of the process, in ticks; 0: of what it started, and of itself nothing is known yet
	calls map[string]bpf.CallSum
}

// Counter counts the system calls of processes by programs in the kernel. Its methods may be called at any time, by anybody.
type Counter struct {
	log *slog.Logger

	mu      sync.Mutex
	calls   *bpf.Calls
	watched map[process]bool // with what they start
	made    map[int]*tally   // that nobody has taken, by pid
	absent  map[int]bool     // of these, by pid: nobody had it when they were looked at last
	traced  map[int]*tally   // by a trace that goes on, by pid
	failed  string           // what went wrong the last time
}

// NewCounter counts by calls, which the caller closes, and tells log what goes wrong; nil: the default one.
func NewCounter(calls *bpf.Calls, log *slog.Logger) *Counter {
	return &Counter{log: cmp.Or(log, slog.Default()), calls: calls, watched: map[process]bool{}, made: map[int]*tally{}, traced: map[int]*tally{}}
}

// Watch has the calls of a process be counted, and of all that it starts, until it ends.
func (c *Counter) Watch(pid int, startTicks uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := process{pid, startTicks}
	if c.watched[p] {
		return
	}
	err := c.calls.Watch(pid, false)
	c.note(err)
	c.watched[p] = err == nil
}

// Read reads what was done since the call before. What a process did that has ended before that was taken counts for the process that started it, as with
// strace -f, if that is watched; else it is dropped.
func (c *Counter) Read() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	c.forget()
}

// forget drops what is of nobody any more. What a process did that ended since it was read is handed up with the next read, so it stays until then.
func (c *Counter) forget() {
	maps.DeleteFunc(c.watched, func(p process, _ bool) bool { return !exists(p.pid) })
	absent := map[int]bool{}
	for pid := range c.made {
		if !exists(pid) {
			absent[pid] = true
		}
	}
	maps.DeleteFunc(c.made, func(pid int, _ *tally) bool { return absent[pid] && c.absent[pid] })
	c.absent = absent
}

func (c *Counter) read() {
	made, ended, err := c.calls.Read(exists)
	for _, m := range made {
		if t := c.made[m.PID]; t == nil || t.start != 0 && t.start != m.StartTicks {
			c.made[m.PID] = &tally{calls: map[string]bpf.CallSum{}}
		}
		c.made[m.PID].start = m.StartTicks
		c.made[m.PID].add(nameOf(m.Number, m.Is32Bit), m)
		if of := c.traced[m.PID]; of != nil {
			of.add(nameOf(m.Number, m.Is32Bit), m)
		}
	}
	for pid := range ended {
		c.handUp(pid, ended)
	}
	lost, failed := c.calls.Lost()
	if err = errors.Join(err, failed); err == nil && lost > 0 {
		err = errors.New("more processes, or different calls of them, than there is room for: some are not counted")
	}
	c.note(err)
}

// handUp gives what an ended process did to the one that started it, or to who started that.
func (c *Counter) handUp(pid int, ended map[int]int) {
	left := c.made[pid]
	delete(c.made, pid)
	to, was := ended[pid], true
	for hops := 0; was && hops <= len(ended); hops++ { // pids that were used again could make a circle
		pid = to
		to, was = ended[pid]
	}
	if left == nil || pid == 0 || was {
		return
	}
	if c.made[pid] == nil {
		c.made[pid] = &tally{calls: map[string]bpf.CallSum{}}
	}
	for name, sum := range left.calls {
		c.made[pid].add(name, sum)
	}
}

// add adds what was done: two word sizes have one sum.
func (t *tally) add(name string, m bpf.CallSum) {
	sum := t.calls[name]
	sum.Calls += m.Calls
	sum.Time += m.Time
	t.calls[name] = sum
}

// exists reports whether somebody has a pid.
func exists(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// note says what goes wrong, when that begins and when it ends.
func (c *Counter) note(err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	switch {
	case said == c.failed:
	case said != "":
		c.log.Warn("system calls are not all counted", "err", err)
	default:
		c.log.Info("system calls are counted again")
	}
	c.failed = said
}

// Take hands over what is known of a process and was not handed over before, those first that took the most time of a CPU.
func (c *Counter) Take(pid int, startTicks uint64) []schema.Syscall {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.made[pid]
	if t == nil || t.start != 0 && t.start != startTicks {
		return nil
	}
	delete(c.made, pid)
	return listed(t.calls)
}

// listed are sums as a sample has them.
func listed(sums map[string]bpf.CallSum) []schema.Syscall {
	var rows []call
	for name, sum := range sums {
		rows = append(rows, call{name, sum.Calls, uint64(sum.Time)})
	}
	return shares(merge(rows))
}

// Name implements [Tracer].
func (*Counter) Name() string { return "programs in the kernel" }

// Trace implements [Tracer]. The process is not stopped, and what it starts meanwhile is not traced.
func (c *Counter) Trace(ctx context.Context, pid int, d time.Duration) (Profile, error) {
	if _, err := readTraceable(pid); err != nil && !errors.Is(err, ErrTraced) {
		return Profile{}, err
	}
	if err := c.beginTrace(pid); err != nil {
		return Profile{}, err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	calls, err := c.endTrace(pid)
	if ctx.Err() != nil {
		return Profile{}, fmt.Errorf("trace pid %d: %w", pid, context.Cause(ctx))
	}
	return Profile{Calls: calls, Duration: time.Since(began)}, err
}

func (c *Counter) beginTrace(pid int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read() // what was done before is not of the trace
	c.traced[pid] = &tally{calls: map[string]bpf.CallSum{}}
	return c.calls.Watch(pid, true)
}

func (c *Counter) endTrace(pid int) ([]schema.Syscall, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.calls.Unwatch(pid)
	c.read()
	calls := listed(c.traced[pid].calls)
	delete(c.traced, pid)
	return calls, err
}
