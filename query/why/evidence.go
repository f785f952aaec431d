package why

import (
	"context"
	"slices"

	"github.com/proctape/proctape/query"
)

// aftermath is for how many seconds after a death others may end of it.
const aftermath = 5.0

// evidence is what is recorded of a life and its end.
type evidence struct {
	life      query.Life
	ancestors []query.Ancestor // the parent at birth first
	events    []query.Event    // of the process, with the causes of deaths joined
	execs     []query.Exec
	anomalies []query.Anomaly  // that rules found of it
	samples   *query.Extremes  // of its samples
	newest    float64          // the newest snapshot of its host
	after     []query.Event    // on its host, just after its end
	shortage  *query.Shortage  // nil when it was not killed for want of memory
	covers    []query.Coverage // of its host, while it lived
}

// gather reads what is recorded of a life.
func gather(ctx context.Context, db *query.DB, life query.Life) (*evidence, error) {
	e := &evidence{life: life}
	steps := []func(context.Context, *query.DB) error{e.readAncestors, e.readEvents, e.readSamples, e.readAround, e.readCoverage}
	for _, read := range steps {
		if err := read(ctx, db); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *evidence) readAncestors(ctx context.Context, db *query.DB) (err error) {
	e.ancestors, err = query.Ancestors(ctx, db, e.life.Identity)
	return err
}

// lived is the range of its life, with an end that is in it.
func (e *evidence) lived() query.Range {
	return query.Range{Host: e.life.Host, Since: e.life.First, Until: e.life.Last + 1e-3}
}

func (e *evidence) readEvents(ctx context.Context, db *query.DB) (err error) {
	f := query.Filter{Range: e.lived(), PID: e.life.PID}
	if e.events, err = query.All(query.WithCauses(query.EventSeq(ctx, db, f))); err != nil {
		return err
	}
	start := *e.life.StartTicks
	if e.anomalies, err = query.Anomalies(ctx, db, query.AnomalyFilter{Range: query.Range{Host: e.life.Host}, PID: e.life.PID, Start: start}); err != nil {
		return err
	}
	e.events = slices.DeleteFunc(e.events, func(v query.Event) bool { return v.StartTicks != start })
	e.execs, err = query.Execs(ctx, db, f)
	e.execs = slices.DeleteFunc(e.execs, func(v query.Exec) bool { return v.StartTicks != start && v.StartTicks != 0 })
	return err
}

func (e *evidence) readSamples(ctx context.Context, db *query.DB) (err error) {
	e.samples, err = query.ExtremesOf(ctx, db, e.life.Identity, e.lived())
	return err
}

// readAround reads what was on its host when it died.
func (e *evidence) readAround(ctx context.Context, db *query.DB) error {
	newest, err := query.SnapshotHeads(ctx, db, query.Range{Host: e.life.Host, Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		e.newest = newest[0].Timestamp
	}
	end := e.end()
	if end == nil {
		return nil
	}
	e.after, err = query.All(query.WithCauses(query.EventSeq(ctx, db, query.Filter{
		Range: query.Range{Host: e.life.Host, Since: end.Timestamp, Until: end.Timestamp + aftermath}, Types: []string{"exit", "signal", "kill", "oom"}})))
	if err != nil || causeOf(end) != OutOfMemory {
		return err
	}
	e.shortage, err = query.ShortageAt(ctx, db, e.life.Identity, end.Timestamp)
	return err
}

func (e *evidence) readCoverage(ctx context.Context, db *query.DB) (err error) {
	e.covers, err = query.FullCoverage(ctx, db, e.lived())
	return err
}

// end is the event of its end, with its cause; nil when that is not recorded.
func (e *evidence) end() *query.Event {
	for i := range slices.Backward(e.events) {
		if e.events[i].Type != "spawn" {
			return &e.events[i]
		}
	}
	return nil
}
