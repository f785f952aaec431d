package publish

import (
	"errors"
	"slices"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// OfferSnapshot offers a snapshot that was taken at a wall time (Unix nanoseconds) and a boot time (nanoseconds of
// CLOCK_BOOTTIME).
func (p *Publisher) OfferSnapshot(wall, boot int64, s *schema.Snapshot) error {
	return p.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: wall, Boot: boot}, Snapshot: s})
}

// kindsOfEvents are in the order in which they are published: who reads along meets a process before its end.
var kindsOfEvents = []schema.Kind{schema.KindSpawn, schema.KindExit, schema.KindSignal, schema.KindKill, schema.KindOOM}

// OfferEvents offers the events of each kind together, in messages of at most [schema.MaxEvents]. Wall and boot time are
// those of the messages.
func (p *Publisher) OfferEvents(wall, boot int64, events []lifecycle.KindedEvent) error {
	batches := map[schema.Kind][]schema.Event{}
	var errs []error
	flush := func(last schema.Kind) { // and the kinds before it
		for _, kind := range kindsOfEvents[:slices.Index(kindsOfEvents, last)+1] {
			if events := batches[kind]; len(events) > 0 {
				errs = append(errs, p.Offer(&schema.Message{
					Envelope: schema.Envelope{Kind: kind, Wall: wall, Boot: boot}, Events: events,
				}))
				batches[kind] = nil
			}
		}
	}
	for _, e := range events {
		batches[e.Kind] = append(batches[e.Kind], e.Event)
		if len(batches[e.Kind]) == schema.MaxEvents {
			flush(e.Kind)
		}
	}
	flush(schema.KindOOM)
	return errors.Join(errs...)
}

// OfferGaps offers gaps, in messages of at most [schema.MaxEvents].
func (p *Publisher) OfferGaps(wall, boot int64, gaps []schema.Gap) error {
	var errs []error
	for some := range slices.Chunk(gaps, schema.MaxEvents) {
		errs = append(errs, p.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindGap, Wall: wall, Boot: boot}, Gaps: some}))
	}
	return errors.Join(errs...)
}
