package lifecycle

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/schema"
)

// observe compares what is known with a look at /proc: who lives there and is not known, has begun unseen; who is
// known, is missing from two looks in a row and is not alive, has ended unseen. That a look does not show somebody is
// no proof by itself: looks may leave out kernel threads and other users' processes.
func (t *tracker) observe(l Look) {
	t.looks++
	for i := range l.Processes {
		if s := &l.Processes[i]; !isDead(s) {
			t.show(s, l.Boot)
		}
	}
	for _, p := range t.missing(l.Boot) {
		t.vanish(p, l.Boot)
	}
	t.blind = false
}

// isDead reports whether a look shows what is left of a process that has ended. A first thread that has ended before
// the others looks the same but for their number.
func isDead(s *schema.Process) bool {
	return (s.State == "Z" || s.State == "X") && s.Threads <= 1
}

// show takes in one process of a look that was taken at the boot time boot.
func (t *tracker) show(s *schema.Process, boot int64) {
	p := t.live[s.PID]
	if p != nil && (!p.is(s.StartTicks) || p.over && !p.dated && t.alive(s.PID)) {
		if s.StartTicks < p.start {
			return // it had the pid before p
		}
		t.vanish(p, min(boot, startOf(s.StartTicks)))
		p = nil
	}
	if p == nil {
		if !t.alive(s.PID) {
			return // it has ended since the look, and that was told
		}
		p = &process{
			pid: s.PID, parent: schema.Some(int64(s.PPID)), kernel: s.PID == kthreadd || s.PPID == kthreadd,
			epoch: -1, checked: -1, leaderGone: s.State == "Z", image: &image{}, source: SourceScan,
		}
		t.live[p.pid] = p
	}
	p.adopt(s.StartTicks, s.UID, s.Command)
	p.cpu, p.look, p.missing = s.CPUMillis, t.looks, 0
	if !p.told && t.looks > 1 {
		t.tellScanned(p)
	}
	p.told = true
}

// tellScanned tells of the spawn of a process that only a look showed: its start is known to a hundredth of a second,
// so that it may seem to be before its parent's.
func (t *tracker) tellScanned(p *process) {
	if parent := t.live[int(p.parent.Or(0))]; parent != nil {
		p.boot = max(p.boot, parent.boot)
	}
	p.source = SourceScan
	t.tellSpawn(p)
}

// missing are those who have ended unseen, by pid.
func (t *tracker) missing(boot int64) []*process {
	var gone []*process
	for _, p := range t.live {
		if p.look == t.looks || p.over || p.boot > boot || p.checked == t.epoch {
			continue
		}
		if p.missing++; p.missing < 2 {
			continue
		}
		if t.alive(p.pid) {
			p.checked = t.epoch
			continue
		}
		gone = append(gone, p)
	}
	slices.SortFunc(gone, func(a, b *process) int { return cmp.Compare(a.pid, b.pid) })
	return gone
}
