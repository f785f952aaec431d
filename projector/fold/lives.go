package fold

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// lifeBook implements [lives]. It knows, host by host, who lives and which lanes are taken.
type lifeBook struct {
	tables Tables
	byHost map[int64]*hostLives
}

// hostLives are the lives of a host that go on, by process id, and the lanes of its steps.
type hostLives struct {
	open    map[int]*store.Life
	waiting []*store.Life // that have no lane yet, or have ended
	lanes   map[store.StepLanes][]int64
	boot    string          // whose lives go on
	settled *schema.Message // the last that lanes were given for
}

// laneDelay is for how long a life has no lane, ms. Starts and ends come in messages of their own every quarter of a second; so what began and
// ended in between has both times when its lane is chosen, and lives that follow one another share one.
const laneDelay = int64(time.Second / time.Millisecond)

// mostLanes bounds the lanes of a step; what has no room is in the last.
const mostLanes = 1000

// sameStart is how far a start may be from the tick in which the kernel puts it, ns.
const sameStart = int64(20 * time.Millisecond)

func millis(ns int64) int64 { return ns / int64(time.Millisecond) }

// event implements [lives].
func (b *lifeBook) event(to place, m *schema.Message, e *schema.Event, id int64) error {
	if m.Kind != schema.KindSpawn && m.Kind != schema.KindExit {
		return nil
	}
	h, err := b.of(to.hostID)
	if err != nil {
		return err
	}
	if err := b.settle(to, h, m); err != nil {
		return err
	}
	l := &store.Life{LifeKey: store.LifeKey{HostID: to.hostID, Start: began(m.Kind, e), First: id}, PID: e.PID, Of: stepOf(to.hostID, e), Lane: -1, Event: id,
		StartTicks: e.StartTicks, BootID: m.BootID}
	was := h.open[e.PID]
	same := was != nil && was.BootID == m.BootID && store.SameLife(was.StartTicks, e.StartTicks, was.Start*int64(time.Millisecond), l.Start*int64(time.Millisecond))
	if was != nil && m.Kind == schema.KindExit && (e.StartTicks == 0 || was.StartTicks == 0) {
		same = was.BootID == m.BootID
	}
	if was != nil && !same { // its end was not told: it came before this one began
		if err := b.end(to, h, was, max(l.Start, was.Start)); err != nil {
			return err
		}
	}
	if m.Kind == schema.KindSpawn {
		if !same {
			h.begin(to, l)
		}
		return nil
	}
	if same {
		l.LifeKey, l.StartTicks, l.Lane = was.LifeKey, was.StartTicks, was.Lane
		if l.Of != was.Of && was.Lane >= 0 {
			if err := b.free(to, h, was, millis(e.Wall)); err != nil {
				return err
			}
			l.Lane = -1
		}
	}
	return b.end(to, h, l, max(l.Start, millis(e.Wall)))
}

// stepOf is what an event belongs to.
func stepOf(hostID int64, e *schema.Event) store.StepLanes {
	return store.StepLanes{HostID: hostID, Job: schema.JobKey{ID: e.JobID, Fleet: e.Fleet && e.JobID != ""}, Sheet: e.Sheet.Or(-1)}
}

// began is when the process of an event began, Unix ms.
func began(kind schema.Kind, e *schema.Event) int64 {
	lived := int64(0)
	switch ticks := int64(e.StartTicks) * int64(time.Second/schema.TicksPerSecond); {
	case kind == schema.KindExit && e.Lifetime.Known:
		return max(0, millis(e.Wall)-e.Lifetime.V)
	case e.StartTicks != 0:
		lived = max(0, e.Boot-ticks)
	}
	if kind == schema.KindSpawn && lived <= sameStart {
		lived = 0 // the start itself was seen, more exactly than in ticks
	}
	return max(0, millis(e.Wall-lived))
}

// of are the lives of a host.
func (b *lifeBook) of(hostID int64) (*hostLives, error) {
	if h := b.byHost[hostID]; h != nil {
		return h, nil
	}
	h := &hostLives{open: map[int]*store.Life{}, lanes: map[store.StepLanes][]int64{}}
	err := b.tables.OpenLives(hostID, func(l store.Life) {
		h.open[l.PID] = &l
		if l.Lane < 0 {
			h.waiting = append(h.waiting, &l)
		}
	})
	if err != nil {
		return nil, err
	}
	b.byHost[hostID] = h
	return h, nil
}

// begin notes a life that goes on.
func (h *hostLives) begin(to place, l *store.Life) {
	own := *l
	own.BootID, own.Of.Job.ID = strings.Clone(l.BootID), strings.Clone(l.Of.Job.ID)
	h.open[l.PID] = &own
	h.waiting = append(h.waiting, &own)
	to.batch.Lives[own.LifeKey] = &store.LifeChange{Life: own}
}

// settle ends the lives of earlier boots, and gives lanes to those that began long enough before a message. It does so once for a message.
func (b *lifeBook) settle(to place, h *hostLives, m *schema.Message) error {
	if h.settled == m {
		return nil
	}
	h.settled = m
	if h.boot != m.BootID {
		h.boot = strings.Clone(m.BootID)
		if err := b.endBefore(to, h, millis(m.Wall-m.Boot)); err != nil {
			return err
		}
	}
	h.waiting = slices.DeleteFunc(h.waiting, func(l *store.Life) bool { return l.End != 0 })
	slices.SortFunc(h.waiting, byStart)
	due := 0
	for ; due < len(h.waiting) && h.waiting[due].Start <= millis(m.Wall)-laneDelay; due++ {
		l := h.waiting[due]
		if err := b.place(to, h, l, store.LaneTaken); err != nil {
			return err
		}
		h.change(to, l)
	}
	h.waiting = slices.Delete(h.waiting, 0, due)
	return nil
}

// endBefore ends the lives of other boots than the host's that began before that one, Unix ms.
func (b *lifeBook) endBefore(to place, h *hostLives, booted int64) error {
	var gone []*store.Life
	for _, l := range h.open {
		if l.BootID != h.boot && l.Start < booted {
			gone = append(gone, l)
		}
	}
	slices.SortFunc(gone, byStart)
	for _, l := range gone {
		if err := b.end(to, h, l, booted); err != nil {
			return err
		}
	}
	return nil
}

func byStart(a, b *store.Life) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.First, b.First))
}

// end notes that a life has ended, which takes it out of those that go on.
func (b *lifeBook) end(to place, h *hostLives, l *store.Life, at int64) error {
	l.End = at
	if was := h.open[l.PID]; was != nil && was.LifeKey == l.LifeKey {
		delete(h.open, l.PID)
		was.End = at
		h.change(to, l)
	} else {
		to.batch.Lives[l.LifeKey] = &store.LifeChange{Life: *l}
	}
	if l.Lane >= 0 {
		return b.free(to, h, l, at)
	}
	err := b.place(to, h, l, at)
	to.batch.Lives[l.LifeKey].Lane = l.Lane
	return err
}

// change notes what became of a life that goes on, or went on until now.
func (h *hostLives) change(to place, l *store.Life) {
	if c := to.batch.Lives[l.LifeKey]; c != nil {
		c.Life = *l
		return
	}
	to.batch.Lives[l.LifeKey] = &store.LifeChange{Life: *l, Stored: true}
}

// place gives a life the lowest lane that is free since it began, until a time.
func (b *lifeBook) place(to place, h *hostLives, l *store.Life, until int64) error {
	lanes, err := b.lanes(h, l.Of)
	if err != nil {
		return err
	}
	l.Lane = slices.IndexFunc(lanes, func(until int64) bool { return until <= l.Start })
	switch {
	case l.Lane < 0 && len(lanes) < mostLanes:
		l.Lane, lanes = len(lanes), append(lanes, until)
	case l.Lane < 0:
		l.Lane = mostLanes - 1
		return nil
	}
	lanes[l.Lane] = until
	h.lanes[l.Of] = lanes
	to.batch.Lanes[store.Lane{StepLanes: l.Of, Lane: l.Lane}] = until
	return nil
}

// free says until when a life took its lane. The last one of many is never free.
func (b *lifeBook) free(to place, h *hostLives, l *store.Life, at int64) error {
	lanes, err := b.lanes(h, l.Of)
	if err == nil && l.Lane < len(lanes) && l.Lane < mostLanes-1 {
		lanes[l.Lane] = at
		to.batch.Lanes[store.Lane{StepLanes: l.Of, Lane: l.Lane}] = at
	}
	return err
}

// lanes are until when the lanes of a step are taken.
func (b *lifeBook) lanes(h *hostLives, of store.StepLanes) ([]int64, error) {
	lanes, ok := h.lanes[of]
	if ok {
		return lanes, nil
	}
	err := b.tables.Lanes(of, func(lane int, until int64) {
		for len(lanes) <= lane {
			lanes = append(lanes, 0)
		}
		lanes[lane] = until
	})
	if err != nil {
		return nil, err
	}
	of.Job.ID = strings.Clone(of.Job.ID)
	h.lanes[of] = lanes
	return lanes, nil
}
