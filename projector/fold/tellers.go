package fold

import (
	"strings"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// tellers are the lives of producers that told of each host's starts and ends. A process starts and ends once: what two of them
// tell of counts once.
type tellers struct {
	tables Tables
	byHost map[int64]hostTellers
	now    *telling // of the message that is being folded
}

// hostTellers are those of one host, by instance.
type hostTellers map[string]*store.EventTeller

// toldWithin is for how long after the newest message of a producer another may tell of what it told of.
const toldWithin = int64(2 * time.Minute)

// telling is a message of events or execs, as it comes.
type telling struct {
	*tellers
	to     place
	m      *schema.Message
	by     *store.EventTeller
	all    hostTellers
	others bool // another producer of the host may have told of the same
}

// event implements [otherTellers].
func (ts *tellers) event(to place, m *schema.Message, e *schema.Event) (told bool, err error) {
	t, err := ts.telling(to, m)
	if err != nil || !t.others {
		return false, err
	}
	return t.merge(e)
}

// exec implements [otherTellers].
func (ts *tellers) exec(to place, m *schema.Message, e *schema.Exec) (told bool, err error) {
	t, err := ts.telling(to, m)
	if err != nil || !t.others {
		return false, err
	}
	return t.toldExec(e)
}

// telling says who tells in a message, and whether another may have told of the same.
func (ts *tellers) telling(to place, m *schema.Message) (*telling, error) {
	if t := ts.now; t != nil && t.m == m && t.to.rowID == to.rowID {
		return t, nil
	}
	all, err := ts.of(to.hostID)
	if err != nil {
		return nil, err
	}
	t := &telling{tellers: ts, to: to, m: m, all: all, by: all[m.Instance.String()]}
	if t.by == nil {
		t.by = &store.EventTeller{Instance: m.Instance.String(), BootID: strings.Clone(m.BootID), First: m.Wall, LastBoot: m.Boot}
		all[t.by.Instance] = t.by
	}
	t.by.LastBoot, t.by.Began = max(t.by.LastBoot, m.Boot), max(t.by.Began, m.Began)
	for _, o := range all {
		t.others = t.others || o != t.by && o.BootID == m.BootID && o.LastBoot+toldWithin > m.Boot
	}
	ts.now = t
	return t, nil
}

// of are who told of a host's starts and ends, by instance.
func (ts *tellers) of(hostID int64) (hostTellers, error) {
	if all := ts.byHost[hostID]; all != nil {
		return all, nil
	}
	stored, err := ts.tables.EventTellers(hostID)
	if err != nil {
		return nil, err
	}
	all := hostTellers{}
	for i := range stored {
		all[stored[i].Instance] = &stored[i]
	}
	ts.byHost[hostID] = all
	return all, nil
}

// later reports whether this message's producer began after another: then the snapshots that count are its own.
func (t *telling) later(instance string) bool {
	o := t.all[instance]
	switch {
	case o == nil:
		return true
	case t.by.Began != o.Began && t.by.Began != 0 && o.Began != 0:
		return t.by.Began > o.Began
	case t.by.First != o.First:
		return t.by.First > o.First
	}
	return t.by.Instance > instance
}

// find is the oldest event of another producer that is one with e, as it is known now, in any batches; ok is false when there is none. at is its
// place in the batch, -1 when it has a row.
func (t *telling) find(e *schema.Event) (was store.ToldEvent, at int, ok bool, err error) {
	of := store.Occasion{HostID: t.to.hostID, Kind: t.m.Kind, PID: e.PID}
	same := func(o *schema.Event) bool { return store.SameLife(o.StartTicks, e.StartTicks, o.Boot, e.Boot) }
	err = t.tables.ToldEvents(of, t.m.BootID, t.by.Instance, func(o store.ToldEvent) {
		if more := t.to.batch.Told[o.ID]; more != nil {
			o = *more
		}
		if !ok && same(&o.Event) {
			was, ok = o, true
		}
	})
	if err != nil || ok {
		return was, -1, ok, err
	}
	for _, i := range t.to.batch.EventsOn(of) {
		b := &t.to.batch.Events[i]
		if b.Message.Instance != t.m.Instance && b.Message.BootID == t.m.BootID && same(b.Event) {
			return store.ToldEvent{ID: b.ID, Instance: b.Message.Instance.String(), At: schema.Timestamp(b.Wall), Event: *b.Event}, i, true, nil
		}
	}
	return was, -1, false, nil
}

// merge takes an event in that another producer told of: what that one did not know is learnt from it. It reports whether there was
// such an event.
func (t *telling) merge(e *schema.Event) (bool, error) {
	was, at, ok, err := t.find(e)
	if err != nil || !ok {
		return false, err
	}
	now := was
	more := now.Learn(e)
	if e.SampledCPU.Known && was.SampledCPU != e.SampledCPU && t.later(was.Instance) {
		now.SampledCPU, more = e.SampledCPU, true
	}
	if !more {
		return true, nil
	}
	if t.m.Kind == schema.KindExit {
		recountMinute(t.to, e, &was, &now)
		if e.JobID != "" {
			recount(t.to, e, &was.Event, &now.Event)
		}
	}
	if at >= 0 {
		t.to.batch.Events[at].Event = &now.Event
		return true, nil
	}
	t.to.batch.Told[was.ID] = &now
	return true, nil
}

// toldExec reports whether another producer told of an exec.
func (t *telling) toldExec(e *schema.Exec) (told bool, err error) {
	of := store.Occasion{HostID: t.to.hostID, Kind: t.m.Kind, PID: e.PID}
	same := func(o *schema.Exec) bool {
		return store.SameLife(o.StartTicks, e.StartTicks, o.Boot, e.Boot) && store.Near(o.Boot, e.Boot) && o.Command == e.Command
	}
	for _, i := range t.to.batch.ExecsOn(of) {
		b := &t.to.batch.Execs[i]
		if b.Message.Instance != t.m.Instance && b.Message.BootID == t.m.BootID && same(b.Exec) {
			return true, nil
		}
	}
	err = t.tables.ToldExecs(of, t.m.BootID, t.by.Instance, func(o schema.Exec) { told = told || same(&o) })
	return told, err
}
