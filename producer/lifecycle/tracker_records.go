package lifecycle

import (
	"slices"
	"time"

	"github.com/proctape/proctape/producer/lifecycle/netlink"
)

// recordTimeout is how long a record waits for an exit that no loss explains.
const recordTimeout = time.Minute

// heldRecord is a record whose exit has not come.
type heldRecord struct {
	netlink.Record
	at    int64 // boot time of the poll that read it
	epoch int   // of the tracker before that poll
}

// isStale reports whether the record was read before p began, or tells of a longer life than p can have had by then.
func (r *heldRecord) isStale(p *process) bool {
	return p != nil && p.startKnown && (p.boot > r.at || p.boot+int64(r.Life) > r.at+startOf(forkLate))
}

// recordStore holds the records that came before their exits, by process.
type recordStore struct {
	*trackerState
	held map[int][]heldRecord
}

// hold keeps a record until its exit comes.
func (s *recordStore) hold(r netlink.Record) {
	s.held[r.TGID] = append(s.held[r.TGID], heldRecord{r, s.boot, s.epoch})
}

// expired reports whether a record is not waited for any longer. Without a loss its exit will come, however long the
// kernel takes to tear the process down.
func (s *recordStore) expired(r *heldRecord) bool {
	age := s.boot - r.at
	return age >= int64(EventDelay) && (r.epoch != s.epoch || age >= int64(recordTimeout))
}

// takeRecord takes a record for an exit of the thread tid from those that wait for the exits of process pid, which is p if
// it is known. It need not be the thread's: one that ends while another executes a program may get the other's id
// between its record and its exit. It drops records that must belong to the process that had the pid before.
func (s *recordStore) takeRecord(pid, tid int, p *process) (netlink.Record, bool) {
	held := s.held[pid]
	for len(held) > 0 && held[0].isStale(p) {
		held = held[1:]
	}
	if len(held) == 0 {
		delete(s.held, pid)
		return netlink.Record{}, false
	}
	best := 0
	for i := range held {
		if s.fit(&held[i], tid, p) > s.fit(&held[best], tid, p) {
			best = i
		}
	}
	r := held[best].Record
	s.setHeld(pid, slices.Delete(held, best, best+1))
	return r, true
}

// fit is how well a record fits an exit of the thread tid: the exits of records from before a loss may be lost.
func (s *recordStore) fit(r *heldRecord, tid int, p *process) (points int) {
	if p != nil && r.Start != 0 && r.Start == p.boot {
		points += 4
	}
	if r.epoch == s.epoch {
		points += 2
	}
	if r.PID == tid {
		points++
	}
	return points
}

// setHeld sets the records that wait for the exits of process pid.
func (s *recordStore) setHeld(pid int, held []heldRecord) {
	if len(held) == 0 {
		delete(s.held, pid)
	} else {
		s.held[pid] = held
	}
}
