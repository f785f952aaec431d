package web

import (
	"encoding/json"
	"slices"

	"github.com/proctape/proctape/query"
)

// pick reports whether a client asked for an event, and leaves of a snapshot the processes that it asked for. A gap is told whatever the
// filter: it may be of what the filter picks.
func (q *question) pick(e *event) (bool, error) {
	if len(q.kinds) > 0 && !slices.Contains(q.kinds, e.name) {
		return false, nil
	}
	switch of := e.of.(type) {
	case *query.Event:
		return q.PicksEvent(of), nil
	case *query.Exec:
		onlyEnds := len(q.Types) > 0 || q.Failed || q.ExitCode != nil || q.Signal != nil
		return !onlyEnds && q.PicksExec(of), nil
	}
	if e.name != "snapshot" || !q.PicksProcesses() {
		return true, nil
	}
	var s query.Snapshot
	if err := json.Unmarshal(e.data, &s); err != nil {
		return false, err
	}
	if !q.KeepProcesses(&s) {
		return false, nil
	}
	data, err := json.Marshal(s)
	e.data = query.NullUnknown(data)
	return true, err
}
