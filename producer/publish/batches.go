package publish

import (
	"errors"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// OfferSnapshot offers a snapshot that was taken at a wall time (Unix nanoseconds) and a boot time (nanoseconds of
// CLOCK_BOOTTIME).
func (p *Publisher) OfferSnapshot(wall, boot int64, s *schema.Snapshot) error {
	return p.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: wall, Boot: boot}, Snapshot: s})
}

// OfferEvents offers the events of each kind together, in messages of at most [schema.MaxEvents], the kinds in the order of
// [schema.Kinds]. Wall and boot time are those of the messages. An event of a kind whose items are no events is an error,
// and so is a message that cannot be encoded; the others are offered all the same.
func (p *Publisher) OfferEvents(wall, boot int64, events []schema.KindedEvent) error {
	b := batches{publisher: p, wall: wall, boot: boot, waiting: map[schema.Kind][]schema.Event{}}
	for _, e := range events {
		b.add(e)
	}
	b.flush("")
	return errors.Join(b.errs...)
}

// batches gathers events by their kinds.
type batches struct {
	publisher  *Publisher
	wall, boot int64
	waiting    map[schema.Kind][]schema.Event
	errs       []error
}

// add gathers an event. When the batch of its kind is full, that is offered.
func (b *batches) add(e schema.KindedEvent) {
	if !e.Kind.IsEvent() {
		b.errs = append(b.errs, fmt.Errorf("event of process %d: %q is no kind of event", e.Event.PID, e.Kind))
		return
	}
	if names := e.Event.ForgetImpossible(); names != nil {
		b.publisher.cfg.Log.Warn("an event has figures that no machine can have; they are taken for unknown", "kind", e.Kind, "pid", e.Event.PID,
			"figures", names)
	}
	b.waiting[e.Kind] = append(b.waiting[e.Kind], e.Event)
	if len(b.waiting[e.Kind]) == schema.MaxEvents {
		b.flush(e.Kind)
	}
}

// flush offers what waits of the kinds up to last, in their order; of all kinds when last is empty.
func (b *batches) flush(last schema.Kind) {
	for _, k := range schema.Kinds() {
		if events := b.waiting[k.Kind]; len(events) > 0 {
			b.errs = append(b.errs, b.publisher.Offer(b.message(k, events)))
			b.waiting[k.Kind] = nil
		}
		if k.Kind == last {
			return
		}
	}
}

func (b *batches) message(k schema.KindInfo, events []schema.Event) *schema.Message {
	m := &schema.Message{Envelope: schema.Envelope{Kind: k.Kind, Wall: b.wall, Boot: b.boot}}
	if k.Body != schema.BodyExecs {
		m.Events = events
		return m
	}
	for i := range events {
		m.Execs = append(m.Execs, schema.ExecOf(&events[i]))
	}
	return m
}

// OfferEnd tells the log that this life ends in order, so that nobody misses its host: in a message of gaps that has none, and takes
// no number. It is the last that a producer offers. A life that made nothing has nothing to tell.
func OfferEnd(p *Publisher, wall, boot int64) error {
	p.mu.Lock()
	end := lifeKeeper{p}.reached(true)
	p.mu.Unlock()
	if len(end.Reached) == 0 {
		return nil
	}
	return p.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindGap, Wall: wall, Boot: boot, Ended: []schema.End{end}}})
}

// OfferGaps offers gaps, in messages of at most [schema.MaxEvents]. A message with a gap of a kind that is not in
// [schema.GapKinds] is an error; the others are offered all the same.
func (p *Publisher) OfferGaps(wall, boot int64, gaps []schema.Gap) error {
	var errs []error
	for some := range slices.Chunk(gaps, schema.MaxEvents) {
		errs = append(errs, p.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindGap, Wall: wall, Boot: boot}, Gaps: some}))
	}
	return errors.Join(errs...)
}
