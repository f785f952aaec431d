package lifecycle

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/schema"
)

// observe compares the known processes with a scan of /proc. An unknown process in a scan started unseen; a known one that
// two scans in a row lack ended unseen, unless it is alive. One scan is no proof: scans may leave out kernel threads and
// other users' processes.
func (t *tracker) observe(l Scan) {
	t.scans++
	for i := range l.Processes {
		if s := &l.Processes[i]; !isDead(s) {
			t.observeProcess(s, l.Boot)
		}
	}
	for _, p := range t.missing(l.Boot) {
		t.endUnseen(p, l.Boot)
	}
	t.mayHaveUnknown = false
}

// isDead reports whether a scan shows what is left of a process that has ended. A first thread that has ended before
// the others appears the same but for their number.
func isDead(s *schema.Process) bool {
	return (s.State == "Z" || s.State == "X") && s.Threads <= 1
}

// observeProcess takes in one process of a scan that was taken at the boot time boot.
func (t *tracker) observeProcess(s *schema.Process, boot int64) {
	p := t.live[s.PID]
	if p != nil && (!p.matches(s.StartTicks) || p.exitQueued && !p.startKnown && t.alive(s.PID)) {
		if s.StartTicks < p.start {
			return // it had the pid before p
		}
		t.endUnseen(p, min(boot, startOf(s.StartTicks)))
		p = nil
	}
	if p == nil {
		if !t.alive(s.PID) {
			return // it has ended since the scan, and its exit was read
		}
		p = &process{
			pid: s.PID, parent: schema.Some(int64(s.PPID)), kernel: s.PID == kthreadd || s.PPID == kthreadd,
			epoch: -1, checked: -1, leaderGone: s.Threads > 1, image: &image{}, source: SourceScan,
		}
		t.live[p.pid] = p
	}
	p.applyDescription(s.StartTicks, s.UID, s.Command)
	p.cpu, p.lastScan, p.scannedAt, p.scansWithout = s.CPUMillis, t.scans, boot, 0
	if !p.spawnQueued && t.scans > 1 {
		t.queueScannedSpawn(p)
	}
	p.spawnQueued = true
}

// queueScannedSpawn queues the spawn of a process that only a scan showed: its start is known to a hundredth of a second,
// so that it may seem to be before its parent's.
func (t *tracker) queueScannedSpawn(p *process) {
	if parent := t.live[int(p.parent.Or(0))]; parent != nil {
		p.boot = max(p.boot, parent.boot)
	}
	p.source = SourceScan
	t.queueSpawn(p)
}

// missing are those who have ended unseen, by pid.
func (t *tracker) missing(boot int64) []*process {
	var gone []*process
	for _, p := range t.live {
		if p.lastScan == t.scans || p.exitQueued || p.boot > boot || p.checked == t.epoch {
			continue
		}
		if p.scansWithout++; p.scansWithout < 2 {
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
