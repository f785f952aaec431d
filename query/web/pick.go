package web

import (
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// picked is what a client is told of a message: names of events, with their JSON.
type picked struct {
	name string
	data []byte
}

// pick returns what a client asked for of a message. What is of another host is not decoded, and of a snapshot no more than what
// shows that the client wants none of it.
func (q *question) pick(f *frame) ([]picked, error) {
	if q.Host != "" && q.Host != f.Host() || q.passes(f) {
		return nil, nil
	}
	var wanted []picked
	for _, e := range f.open() {
		data, err := q.of(e)
		if err != nil {
			return nil, err
		}
		if data != nil {
			wanted = append(wanted, picked{e.name, data})
		}
	}
	return wanted, nil
}

// nameOf is what an event of messages of a kind is called; empty for a kind of which clients are told nothing.
func nameOf(kind schema.Kind) string {
	switch kind.Body() {
	case schema.BodySnapshot:
		return "snapshot"
	case schema.BodyEvents:
		return "event"
	case schema.BodyExecs:
		return "exec"
	case schema.BodyGaps:
		return "gap"
	}
	return ""
}

// passes reports whether a message is of a kind that the client did not ask for, or is a snapshot without a process that it asked for.
// Of that it reads the columns that say so, unless it is decoded already.
func (q *question) passes(f *frame) bool {
	_, kind, err := schema.ParseSubject(f.Subject)
	if err != nil {
		return false // to open it says why
	}
	name := nameOf(kind)
	if name == "" || len(q.kinds) > 0 && !slices.Contains(q.kinds, name) {
		return true
	}
	if kind != schema.KindSnapshot || !q.PicksProcesses() || f.decoded.Load() != nil {
		return false
	}
	m, err := f.DecodeColumns(q.PickedColumns())
	if err != nil {
		return false // to open it says why
	}
	defer m.Release()
	return !q.PicksAny(m)
}

// of returns what a client is told of an event; nil when it did not ask for it. A gap is told whatever the filter: it may be of what the
// filter picks.
func (q *question) of(e *event) ([]byte, error) {
	wanted := true
	switch of := e.of.(type) {
	case *query.Event:
		wanted = q.PicksEvent(of)
	case *query.Exec:
		onlyEnds := len(q.Types) > 0 || q.Failed || q.ExitCode != nil || q.Signal != nil
		wanted = !onlyEnds && q.PicksExec(of)
	case *schema.Message:
		if q.PicksProcesses() {
			if !q.PicksAny(of) {
				return nil, nil
			}
			return told(q.PickedFromMessage(of))
		}
	}
	if !wanted {
		return nil, nil
	}
	return e.data()
}
