package fold

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// producers are the producers that a message came from since the database was opened.
type producers struct {
	tables Tables
	byKey  map[store.ProducerKey]*producer
}

// producer is one kind of one life of a producer: which of its numbers have come.
type producer struct{ store.Producer }

// decision is what becomes of a message.
type decision struct {
	poison   *Poison // it goes into quarantine
	repeated bool    // it was booked before: nothing becomes of it
	first    bool    // nothing of this life of its producer came before
}

// admit books a message's numbers: it opens the hole before them, or shrinks the one that they fill. Of a message that
// cannot be read they are a hole themselves. Numbers that are partly taken poison a message, and are not booked.
func (ps producers) admit(to place, d *Delivery) (decision, error) {
	if d.Numbers == nil {
		return decision{poison: d.Poison}, nil
	}
	p, err := ps.get(to, store.ProducerKey{HostID: to.hostID, Instance: d.Numbers.Instance, Kind: d.Numbers.Kind})
	if err != nil {
		return decision{}, err
	}
	s := d.Numbers.Span
	a := p.numbers().classify(s)
	switch {
	case a.state == overlap:
		return decision{poison: cmp.Or(d.Poison, &Poison{ReasonOverlap,
			fmt.Errorf("numbers %d to %d were partly taken, the next is %d", s.First, s.Last, p.Next)})}, nil
	case a.state == duplicate, d.Poison != nil && a.filled != nil && a.filled.Kind == schema.GapQuarantined:
		p.Duplicates += s.Count()
		return decision{poison: d.Poison, repeated: true}, nil
	}
	holes := p.holes(to, d, s, a)
	p.numbers().book(s, a, holes)
	if d.Poison != nil {
		return decision{poison: d.Poison}, nil
	}
	what := decision{first: p.Stored == 0 && p.Quarantined == 0}
	p.Stored += s.Count()
	p.note(d.Msg)
	return what, ps.closeLives(to, d)
}

// closeLives closes the books of lives that have ended, of which a message tells. It counts for the kinds of the message's own
// stream: there the message stands behind all that those lives published, so the end does not depend on how the streams
// interleave. What comes later all the same fills the holes.
func (ps producers) closeLives(to place, d *Delivery) error {
	for i := range d.Msg.Ended {
		if err := ps.closeLife(to, d, &d.Msg.Ended[i]); err != nil {
			return err
		}
	}
	return nil
}

func (ps producers) closeLife(to place, d *Delivery, e *schema.End) error {
	key := store.ProducerKey{HostID: to.hostID, Instance: hex.EncodeToString(e.Instance[:])}
	news, unknown, last := false, !e.Final, e.Wall
	for _, r := range e.Reached {
		if r.Kind.Body() == 0 || !r.Kind.IsNumbered() || schema.StreamFor(r.Kind) != d.Stream {
			continue
		}
		key.Kind = strings.Clone(string(r.Kind))
		p, err := ps.get(to, key)
		if err != nil {
			return err
		}
		news = news || p.EndTime == 0
		unknown = unknown || p.Next > r.Seq+1 // it made more than it wrote down: an old copy
		last = max(last, p.LastTime)
		p.end(to, d, e, r.Seq)
	}
	if news && unknown {
		key.Kind = ""
		to.gap(store.Gap{Kind: schema.GapEndUnknown, Host: d.Host, Producer: &key, From: last, To: max(last, d.Msg.Wall),
			Details: "a producer was cut off; what it made after it last wrote that down is not known"})
	}
	return nil
}

// get returns a producer, from memory, the database, or new, and adds it to the batch.
func (ps producers) get(to place, key store.ProducerKey) (*producer, error) {
	p, ok := ps.byKey[key]
	if !ok {
		stored, err := ps.tables.Producer(key)
		if err != nil {
			return nil, err
		}
		p = &producer{stored}
		ps.byKey[key] = p
	}
	if !p.Queued {
		p.Queued = true
		to.batch.Producers = append(to.batch.Producers, &p.Producer)
	}
	return p, nil
}

// forget lets go of a producer.
func (ps producers) forget(hostID int64, instance string) {
	for key := range ps.byKey {
		if key.HostID == hostID && key.Instance == instance {
			delete(ps.byKey, key)
		}
	}
}

func (p *producer) numbers() *numbers { return (*numbers)(&p.Numbers) }

// note takes in what a message's envelope says of its producer.
func (p *producer) note(m *schema.Message) {
	if p.FirstTime == 0 {
		p.FirstTime, p.BootID = m.Wall, strings.Clone(m.BootID)
	}
	p.Produced, p.Acked, p.Began = max(p.Produced, m.Produced), max(p.Acked, m.Acked), max(p.Began, m.Began)
	late := m.Boot < p.LastBoot // what is known is newer
	if had, _ := sumDropped(p.Dropped); len(m.Dropped) > 0 && (!late || sumDrops(m.Dropped) > had) {
		drops := make(map[string]uint64, len(m.Dropped))
		for _, d := range m.Dropped {
			drops[d.Reason] = d.Count
		}
		b, _ := json.Marshal(drops) // a map of numbers always encodes
		p.Dropped = string(b)
	}
	if !late {
		p.LastTime, p.LastBoot = m.Wall, m.Boot
	}
}

// holes are the holes that a message's numbers leave: what they jump over, what remains of the hole that they fill, and
// they themselves when the message cannot be read.
func (p *producer) holes(to place, d *Delivery, s store.Span, a admission) (holes []store.Hole) {
	if a.skipped != nil {
		holes = append(holes, p.openHole(to, d, *a.skipped))
	}
	if a.filled != nil {
		holes = append(holes, p.fillHole(to, d, s, a)...)
	}
	if d.Poison != nil {
		holes = append(holes, p.quarantineHole(to, d, s))
	}
	return holes
}

// openHole is the hole of numbers that were jumped over.
func (p *producer) openHole(to place, d *Delivery, s store.Span) store.Hole {
	kind, details := p.jumpKind(to, d.Msg, s)
	p.Missing += s.Count()
	return store.Hole{Span: s, Kind: kind, Gap: to.gap(p.gapOf(to, d, s, kind, details))}
}

// quarantineHole is the hole of numbers that came and could not be read: they are missing until they can be.
func (p *producer) quarantineHole(to place, d *Delivery, s store.Span) store.Hole {
	p.Quarantined += s.Count()
	return store.Hole{Span: s, Kind: schema.GapQuarantined,
		Gap: to.gap(p.gapOf(to, d, s, schema.GapQuarantined, d.Poison.Reason+": "+d.Poison.Err.Error()))}
}

// gapOf is the gap of numbers that are not stored.
func (p *producer) gapOf(to place, d *Delivery, s store.Span, kind schema.GapKind, details string) store.Gap {
	return store.Gap{Kind: kind, Host: d.Host, Producer: &p.Key, Numbers: s, Count: schema.Some(int64(s.Count())),
		From: p.LastTime, To: to.at.Stored, Details: details}
}

// fillHole takes numbers that came after all out of the hole they left, and returns what remains of it.
func (p *producer) fillHole(to place, d *Delivery, s store.Span, a admission) (remaining []store.Hole) {
	h := a.filled
	gaps := make([]store.Gap, len(a.remaining))
	for i, left := range a.remaining {
		kind, details := p.remainsKind(d.Msg, h.Kind, left, s)
		gaps[i] = p.gapOf(to, d, left, kind, details)
		gaps[i].From = 0
	}
	to.filled(h.Gap)
	if h.Kind == schema.GapQuarantined {
		p.Quarantined -= s.Count()
	} else {
		p.Missing -= s.Count()
	}
	for i, left := range a.remaining {
		remaining = append(remaining, store.Hole{Span: left, Kind: gaps[i].Kind, Gap: to.remains(gaps[i])})
	}
	return remaining
}

// remainsKind says why numbers beside those that came late did not come. What waits on a producer's disk comes in its order: what is
// before a message that came had to go, when the producer says that so much did, and what is behind it waits as that did.
func (p *producer) remainsKind(m *schema.Message, was schema.GapKind, left, came store.Span) (kind schema.GapKind, details string) {
	details = fmt.Sprintf("%s %d to %d did not come", p.Key.Kind, left.First, left.Last)
	switch {
	case m == nil, was != schema.GapMissing && was != schema.GapDropped && was != schema.GapBeforeLog:
		return was, details
	case left.First > came.Last:
		return schema.GapMissing, details
	case sumDrops(m.Dropped) >= p.knownDropped(came)+left.Count():
		return schema.GapDropped, details + ": " + describeDrops(m.Dropped)
	case was == schema.GapBeforeLog:
		return was, details
	}
	return schema.GapMissing, details
}

// knownDropped is how many numbers are in holes of what was dropped, but for the hole that others are in.
func (p *producer) knownDropped(others store.Span) (sum uint64) {
	for _, h := range p.Numbers.Holes {
		if h.Kind == schema.GapDropped && (h.Last < others.First || h.First > others.Last) {
			sum += h.Count()
		}
	}
	return sum
}

// jumpKind says why numbers before a message were jumped over, as far as the message itself tells.
func (p *producer) jumpKind(to place, m *schema.Message, s store.Span) (kind schema.GapKind, details string) {
	details = fmt.Sprintf("%s %d to %d did not come", p.Key.Kind, s.First, s.Last)
	first := p.Stored == 0 && p.Quarantined == 0
	if first && (to.at.First != 1 || m == nil || sumDrops(m.Dropped) < s.Count()) {
		return schema.GapBeforeLog, fmt.Sprintf("the log begins after %s %d of this producer", p.Key.Kind, s.Last)
	}
	if m == nil {
		return schema.GapMissing, details
	}
	if had, _ := sumDropped(p.Dropped); sumDrops(m.Dropped) >= had+s.Count() {
		return schema.GapDropped, details + ": " + describeDrops(m.Dropped)
	}
	return schema.GapMissing, details
}

// end opens the hole at the end of a producer's numbers: those up to the last that was made have come, or do not come.
func (p *producer) end(to place, d *Delivery, e *schema.End, last uint64) {
	unheard := p.FirstTime == 0
	if unheard {
		p.FirstTime, p.LastTime, p.LastBoot, p.BootID = e.Wall, e.Wall, e.Boot, strings.Clone(e.BootID)
	}
	p.EndTime, p.Produced, p.Acked = e.Wall, max(p.Produced, e.Produced), max(p.Acked, e.Acked)
	if last < p.Next {
		return
	}
	s := store.Span{First: p.Next, Last: last}
	g := p.gapOf(to, d, s, "", "")
	g.Kind, g.Details = p.endKind(to, e, s)
	if unheard {
		g.From = 0
	}
	g.To = max(e.Wall, g.From)
	p.Missing += s.Count()
	p.numbers().open(store.Hole{Span: s, Kind: g.Kind, Gap: to.gap(g)})
	p.numbers().advance(last)
}

// endKind says why numbers at the end of a life did not come, as far as that life itself tells.
func (p *producer) endKind(to place, e *schema.End, s store.Span) (kind schema.GapKind, details string) {
	details = fmt.Sprintf("%s %d to %d did not come", p.Key.Kind, s.First, s.Last)
	if s.First == 1 && to.at.First != 1 {
		return schema.GapBeforeLog, details + ": the log begins after this producer's end"
	}
	if had, _ := sumDropped(p.Dropped); sumDrops(e.Dropped) >= had+s.Count() {
		return schema.GapDropped, details + ": " + describeDrops(e.Dropped)
	}
	return schema.GapEndLost, fmt.Sprintf("%s, and the producer has ended; of %d items that it made, the log had acknowledged %d",
		details, e.Produced, e.Acked)
}

// sumDropped is the sum of the counts in a producer's JSON object.
func sumDropped(dropped string) (sum uint64, err error) {
	var drops map[string]uint64
	err = json.Unmarshal([]byte(dropped), &drops)
	for _, n := range drops {
		sum += n
	}
	return sum, err
}

func sumDrops(drops []schema.Drop) (sum uint64) {
	for _, d := range drops {
		sum += d.Count
	}
	return sum
}

func describeDrops(drops []schema.Drop) string {
	words := make([]string, len(drops))
	for i, d := range drops {
		words[i] = fmt.Sprintf("%s %d so far", d.Reason, d.Count)
	}
	return strings.Join(words, ", ")
}
