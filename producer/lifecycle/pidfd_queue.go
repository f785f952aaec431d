package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// pidfdQueue holds the events of a [Pidfd] that wait to be taken.
type pidfdQueue struct {
	pending []*pidfdEvent
	// ended are the ends since the last scan, by pid: the next scan may show a process that has ended since.
	ended map[int][]*pidfdEvent
}

// take returns the events up to the boot time until, in order. Before it returns an event it passes it to complete.
func (q *pidfdQueue) take(until int64, complete func(*pidfdEvent)) []schema.KindedEvent {
	slices.SortStableFunc(q.pending, func(a, b *pidfdEvent) int { return cmp.Compare(a.Event.Boot, b.Event.Boot) })
	var out []schema.KindedEvent
	for _, e := range q.pending {
		if e.Event.Boot > until {
			break
		}
		complete(e)
		out = append(out, e.KindedEvent)
	}
	q.pending = slices.Delete(q.pending, 0, len(out))
	return out
}

// endOf is the end, since the last scan, of the process that has the pid and began at start; nil when there was none.
func (q *pidfdQueue) endOf(pid int, start uint64) *pidfdEvent {
	for _, e := range q.ended[pid] {
		if e.Event.StartTicks == start {
			return e
		}
	}
	return nil
}

// addSpawn adds the start of w, which is known to a hundredth of a second.
func (q *pidfdQueue) addSpawn(w *watched, now twoClocks) {
	if w.kernel {
		return
	}
	at := now.movedTo(startOf(w.StartTicks))
	for _, before := range q.ended[w.pid] { // the processes that had the pid until then
		before.moveBack(at.boot)
	}
	told := &pidfdEvent{KindedEvent: schema.KindedEvent{Kind: schema.KindSpawn, Event: w.event(at)}}
	if now.boot-at.boot < int64(EventDelay) {
		told.describeAgain = w
	}
	q.pending = append(q.pending, told)
}

// addExit adds the end of w, which was noticed no later than at.
func (q *pidfdQueue) addExit(w *watched, status unix.WaitStatus, known bool, at twoClocks) {
	if w.kernel {
		return
	}
	reaped := at
	if w.ended != (twoClocks{}) {
		at = w.ended
	}
	e := w.event(at)
	e.Lifetime = schema.Some(max(0, at.boot-startOf(w.StartTicks)) / int64(time.Millisecond))
	if known {
		setStatus(&e, status)
	}
	if w.usedAt > 0 {
		setUsage(&e, w.used)
	}
	e.Details = w.details(known, at, reaped)
	told := &pidfdEvent{KindedEvent: schema.KindedEvent{Kind: schema.KindExit, Event: e}}
	q.pending = append(q.pending, told)
	q.ended[w.pid] = append(q.ended[w.pid], told)
}

// pidfdEvent is an occurrence that waits to be taken.
type pidfdEvent struct {
	schema.KindedEvent
	describeAgain *watched // whose spawn it is, when it was described so soon after its start that an exec may have followed
}

// moveBack moves an end that was noticed late to the boot time boot, by which it must have come.
func (e *pidfdEvent) moveBack(boot int64) {
	if late := e.Event.Boot - boot; late > 0 {
		e.Event.Boot -= late
		e.Event.Wall -= late
		e.Event.Lifetime.V = max(0, e.Event.Lifetime.V-late/int64(time.Millisecond))
	}
}
