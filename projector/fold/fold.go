// Package fold turns the messages of the log into the rows of a batch.
//
// What it makes derives from the messages and from what is in the database, never from a clock, a batch's size or how
// the streams interleave: the same log gives the same rows. It reads the database through [Tables] and writes nothing.
package fold

import (
	"errors"

	"github.com/proctape/proctape/projector/anomaly"
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
	others      otherTellers
	lives       lives
	rollups     rollups
	quarantine  quarantine
	anomalies   anomalies
}

// ErrRewound says that a message came whose sequence was folded before. It may have been delivered again; it may be
// another one under the same sequence, of a stream that lost its end. Comparing the stream with the checkpoint tells.
var ErrRewound = errors.New("the stream went back")

// New returns a fold that goes on from checkpoints, one for each stream. The fold moves them. Rules look at what is folded; nil for none.
func New(tables Tables, checkpoints map[string]*store.Checkpoint, rules *anomaly.Rules) *Fold {
	found := newFound(tables, rules)
	return &Fold{checkpoints: checkpoints, hosts: hosts{}, producers: producers{tables, map[store.ProducerKey]*producer{}},
		snapshots: snapshots{tables: tables, rosters: map[int64]*roster{}, samplers: leaders{}, minutes: minuteCells{}, anomalies: found}, others: &tellers{tables: tables, byHost: map[int64]hostTellers{}}, lives: &lifeBook{tables: tables, byHost: map[int64]*hostLives{}}, rollups: rollups{tables}, quarantine: quarantine{tables}, anomalies: found}
}

// Apply adds one message to a batch. An error is one of the database, or [ErrRewound].
func (f *Fold) Apply(d *Delivery, batch *store.Batch) error {
	at := f.checkpoints[d.Stream]
	if d.Seq <= at.Seq {
		return ErrRewound
	}
	to := f.hosts.place(at, batch, d)
	to.advance(d)
	if batch.Stats.Messages++; d.PassedOver {
		return nil
	}
	what, err := f.producers.admit(to, d)
	switch {
	case err != nil:
		return err
	case what.poison != nil:
		batch.Stats.Quarantined++
		if what.repeated {
			return nil
		}
		return f.quarantine.put(to, d, what.poison)
	case what.repeated:
		batch.Stats.Duplicates++
		return nil
	}
	if d.Replayed != nil { // it came again and could be read
		batch.Quarantine = append(batch.Quarantine, store.QuarantineChange{Out: d.Replayed, Host: d.Host})
	}
	return f.add(to, d.Msg, what.first)
}

// add adds what a message holds. first says that nothing of this life of its producer came before.
func (f *Fold) add(to place, m *schema.Message, first bool) error {
	switch {
	case m.Snapshot != nil:
		return f.snapshots.add(to, m, first)
	case m.Rollup != nil:
		return f.rollups.add(to, m)
	case m.Events != nil:
		return addEvents(to, m, f.others, f.snapshots.minutes, f.lives, f.anomalies)
	case m.Execs != nil:
		return addExecs(to, m, f.others)
	case m.Gaps != nil:
		addGaps(to, m)
	case m.Run != nil:
		addRunRecord(to, m)
		return f.anomalies.observe(to, m)
	case m.Anomaly != nil:
		f.anomalies.told(to, m)
	case m.Jobs != nil:
		addJobEvents(to, m)
	}
	return nil
}

// Checkpoints returns how far each stream has been folded.
func (f *Fold) Checkpoints() map[string]*store.Checkpoint { return f.checkpoints }

// SaveCheckpoints adds to a batch how far each stream has been folded, and what the rules remember then.
func (f *Fold) SaveCheckpoints(batch *store.Batch) {
	f.anomalies.save(batch)
	batch.Checkpoints = batch.Checkpoints[:0]
	for _, name := range schema.DataStreams {
		batch.Checkpoints = append(batch.Checkpoints, *f.checkpoints[name])
	}
}

// NewEpoch starts reading a stream, which the server made at created (Unix ns), from its beginning. Row ids go on above
// those that were given. A gap of the kind why tells of it.
func (f *Fold) NewEpoch(stream string, why schema.GapKind, created int64, batch *store.Batch) {
	at := f.checkpoints[stream]
	lost := at.Stored
	at.Epoch++
	at.IDBase += int64(at.Seq)
	at.Seq, at.First, at.Stored, at.Created, at.Gaps = 0, 0, 0, created, 0
	place{at: at, batch: batch}.gap(store.Gap{Kind: why, From: lost, Details: "read again from its beginning; what was folded before stays"})
	batch.Gaps[len(batch.Gaps)-1].Noticed = max(lost, created)
	batch.Checkpoints = append(batch.Checkpoints, *at)
}

// NoteLostLines adds a gap for lines that are gone from a file.
func (f *Fold) NoteLostLines(details string, batch *store.Batch) {
	place{at: f.checkpoints[schema.StreamEvents], batch: batch}.gap(store.Gap{Kind: schema.GapLinesLost, Details: details})
}

// NoteRebuilt adds a gap for a database that was damaged and made anew from a log of which a stream may have lost its beginning.
func (f *Fold) NoteRebuilt(stream string, g store.Gap, batch *store.Batch) {
	g.Kind = schema.GapDatabaseDamaged
	if g.To == 0 { // nothing is lost of what came before
		g.From = f.checkpoints[stream].Stored
	}
	place{at: f.checkpoints[stream], batch: batch}.gap(g)
}

// CloseHost ends the processes of a host that has not been heard of for so long that nothing more is to come.
func (f *Fold) CloseHost(hostID int64, batch *store.Batch) error {
	return f.snapshots.closeHost(hostID, batch)
}

// ForgetProducer lets go of what is remembered of a producer whose rows were deleted.
func (f *Fold) ForgetProducer(hostID int64, instance string) { f.producers.forget(hostID, instance) }
