// Package fold turns the messages of the log into the rows of a batch.
//
// What it makes derives from the messages and from what is in the database, never from a clock, a batch's size or how
// the streams interleave: the same log gives the same rows. It reads the database through [Tables] and writes nothing.
package fold

import (
	"errors"
	"fmt"
	"strings"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// Fold folds messages into batches. It remembers what it has put into a batch as if it were stored: when a batch could
// not be written, the fold is thrown away and another one made. One goroutine uses it.
type Fold struct {
	checkpoints map[string]*store.Checkpoint
	hosts       hosts
	producers   producers
	snapshots   snapshots
	rollups     rollups
	quarantine  quarantine
}

// ErrRewound says that a message came whose sequence was folded before. It may have been delivered again; it may be
// another one under the same sequence, of a stream that lost its end. Comparing the stream with the checkpoint tells.
var ErrRewound = errors.New("the stream went back")

// New returns a fold that goes on from checkpoints, one for each stream. The fold moves them.
func New(tables Tables, checkpoints map[string]*store.Checkpoint) *Fold {
	h, p := hosts{}, producers{tables: tables, known: map[store.ProducerKey]*producer{}}
	return &Fold{checkpoints: checkpoints, hosts: h, producers: p, snapshots: snapshots{tables: tables, rosters: map[int64]*roster{}},
		rollups: rollups{tables}, quarantine: quarantine{tables, h, p}}
}

// Apply adds one message to a batch. An error is one of the database, or [ErrRewound].
func (f *Fold) Apply(d *Delivery, batch *store.Batch) error {
	to := place{f.checkpoints[d.Stream], batch}
	if d.Seq <= to.at.Seq {
		return ErrRewound
	}
	to.advance(d)
	batch.Stats.Messages++
	if d.Poison != nil {
		return f.quarantine.put(to, d, d.Poison)
	}
	hostID := f.hosts.id(d.Msg.Host, batch)
	if d.Msg.Rollup != nil {
		return f.rollups.add(to, d, hostID)
	}
	admitted, first, err := f.admit(to, d, hostID)
	if err != nil || !admitted {
		return err
	}
	switch m := d.Msg; {
	case m.Snapshot != nil:
		return f.snapshots.add(to, m, hostID, first)
	case m.Events != nil:
		addEvents(to, m, hostID)
	case m.Gaps != nil:
		addGaps(to, m)
	case m.Jobs != nil:
		addJobEvents(to, m, hostID)
	}
	return nil
}

// admit books a message's numbers, and reports whether the message is to be folded. first says that nothing of this
// life of its producer came before.
func (f *Fold) admit(to place, d *Delivery, hostID int64) (admitted, first bool, err error) {
	p, err := f.producers.get(to, store.ProducerKey{HostID: hostID, Instance: d.Msg.Instance.String(), Kind: strings.Clone(string(d.Msg.Kind))})
	if err != nil {
		return false, false, err
	}
	s := spanOf(d.Msg)
	a := p.numbers().classify(s)
	switch a.state {
	case duplicate:
		p.Duplicates += s.Count()
		to.batch.Stats.Duplicates++
		return false, false, nil
	case overlap:
		return false, false, f.quarantine.put(to, d, &Poison{ReasonOverlap,
			fmt.Errorf("numbers %d to %d were partly taken, the next is %d", s.First, s.Last, p.Next)})
	}
	p.record(to, d, s, a)
	f.quarantine.release(to, d)
	first = p.Stored == 0 && p.Quarantined == 0
	p.Stored += s.Count()
	p.note(d.Msg)
	return true, first, nil
}

// Checkpoints returns how far each stream has been folded.
func (f *Fold) Checkpoints() map[string]*store.Checkpoint { return f.checkpoints }

// SaveCheckpoints adds to a batch how far each stream has been folded.
func (f *Fold) SaveCheckpoints(batch *store.Batch) {
	batch.Checkpoints = batch.Checkpoints[:0]
	for _, name := range schema.DataStreams {
		batch.Checkpoints = append(batch.Checkpoints, *f.checkpoints[name])
	}
}

// NewEpoch starts reading a stream, which the server made at created (Unix ns), from its beginning. Row ids go on above
// those that were given. A gap says why.
func (f *Fold) NewEpoch(stream, reason string, created int64, batch *store.Batch) {
	at := f.checkpoints[stream]
	lost := at.Stored
	at.Epoch++
	at.IDBase += int64(at.Seq)
	at.Seq, at.Stored, at.Created, at.Gaps = 0, 0, created, 0
	place{at, batch}.gap(store.Gap{Reason: reason, From: lost, Details: "read again from its beginning; what was folded before stays"})
	batch.Checkpoints = append(batch.Checkpoints, *at)
}

// NoteLostLines adds a gap for lines of the file of events that are gone.
func (f *Fold) NoteLostLines(details string, batch *store.Batch) {
	place{f.checkpoints[schema.StreamEvents], batch}.gap(store.Gap{Reason: "lines lost", Details: details})
}

// CloseHost ends the processes of a host that has not been heard of for so long that nothing more is to come.
func (f *Fold) CloseHost(hostID int64, batch *store.Batch) error {
	return f.snapshots.closeHost(hostID, batch)
}

// ForgetProducer lets go of what is remembered of a producer whose rows were deleted.
func (f *Fold) ForgetProducer(hostID int64, instance string) { f.producers.forget(hostID, instance) }
