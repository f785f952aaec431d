package lifecycle

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/lifecycle/netlink"
)

// The kernel adds up what a process used when it is waited for, and tells so some milliseconds later: at the end itself the time since the last tick is
// missing, which of a short life is most of it. So an end waits for that. Of one that nobody waits for, /proc tells meanwhile.

// zombieAfter is how long an end waits before /proc is asked. It is less than [EventDelay], after which the event is taken.
const zombieAfter = 100 * time.Millisecond

// lifeKey is a process: its pid and its start, in boot nanoseconds.
type lifeKey struct {
	pid   int
	start int64
}

func keyOf(e *bpf.Event) lifeKey { return lifeKey{e.PID, e.Start} }

// end is a process that has ended.
type end struct {
	event   bpf.Event
	readAt  int64 // boot time of the poll that read it
	told    bool  // its record was given
	atLeast bool  // CPU and I/O are lower bounds
}

// maxEnds is how many processes are remembered at most that have ended, and that have executed a second program.
const maxEnds = 1 << 16

// ends are the processes that have ended and whose totals are not whole yet.
type ends struct {
	open  map[lifeKey]*end
	peaks map[lifeKey]uint64 // of living processes: the most memory of the programs before, in KiB
}

func newEnds() ends { return ends{map[lifeKey]*end{}, map[lifeKey]uint64{}} }

// notePeak keeps the most memory of a program that another takes the place of.
func (s ends) notePeak(e *bpf.Event) {
	if e.PeakKiB == 0 {
		return
	}
	if len(s.peaks) >= maxEnds { // of some the end was lost
		clear(s.peaks)
	}
	s.peaks[keyOf(e)] = max(s.peaks[keyOf(e)], e.PeakKiB)
}

// begin takes in that a process has ended, and reports whether that is new.
func (s ends) begin(e *bpf.Event, now int64) bool {
	key := keyOf(e)
	if s.open[key] != nil {
		return false
	}
	p := &end{event: *e, readAt: now}
	p.event.PeakKiB = max(e.PeakKiB, s.peaks[key])
	delete(s.peaks, key)
	s.open[key] = p
	return true
}

// finish adds to a batch the record of a process that was waited for.
func (s ends) finish(b *batch, e *bpf.Event) {
	p := s.open[keyOf(e)]
	delete(s.open, keyOf(e))
	if p == nil || p.told {
		return
	}
	p.event.CPU, p.event.System, p.event.ReadBytes, p.event.WriteBytes = e.CPU, e.System, e.ReadBytes, e.WriteBytes
	b.records = append(b.records, p.record())
}

// conclude adds to a batch the records of processes that nobody has waited for yet, as /proc has them, and of those of which
// the kernel has not said after so long what they used, what was known at their end.
func (s ends) conclude(b *batch, overdue time.Duration) {
	if len(s.open) > maxEnds { // of some the second half was lost
		clear(s.open)
	}
	for key, p := range s.open {
		age := time.Duration(b.boot - p.readAt)
		if p.told || age < min(zombieAfter, overdue) {
			continue
		}
		p.told = p.readZombie(key) // it stays known until it is waited for, so that this is not taken for news
		if !p.told && age >= overdue {
			p.told, p.atLeast = true, true
		}
		if p.told {
			b.records = append(b.records, p.record())
		}
	}
}

// record is the exit record of a process.
func (p *end) record() netlink.Record {
	e := &p.event
	return netlink.Record{
		PID: e.PID, TGID: e.PID, ParentTGID: e.Parent, UID: e.UID, Comm: e.Comm, Status: e.Status, Last: true,
		Life: time.Duration(e.Time - e.Start), CPU: e.CPU, System: e.System, PeakRSS: e.PeakKiB,
		ReadBytes: e.ReadBytes, WriteBytes: e.WriteBytes, Start: e.Start, AtLeast: p.atLeast,
	}
}

// readZombie takes the CPU of a process that nobody has waited for of /proc, man proc_pid_stat(5), and reports whether it is there.
func (p *end) readZombie(key lifeKey) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", key.pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	var user, system, start uint64
	if len(fields) < 20 || fields[0] != "Z" {
		return false
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12]+" "+fields[19], &user, &system, &start); err != nil || start != ticksAt(key.start) {
		return false
	}
	// /proc rounds down, and has what the kernel counted since the last tick.
	p.event.CPU = max(p.event.CPU, time.Duration(startOf(user+system)))
	p.event.System = max(p.event.System, time.Duration(startOf(system)))
	return true
}
