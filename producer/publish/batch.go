package publish

import (
	"time"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// batcher chooses what a publisher publishes next, and takes over what came of it.
type batcher struct{ *Publisher }

// startBatch is what goes next: of each stream what waits on disk before what waits in memory, for the log is to have it in its order; but a
// snapshot that was made just now goes beside those on disk, for it is what people look at.
func (p batcher) startBatch() (batch []*queued) {
	b := p.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	all, events := b.depth()
	p.mu.Lock()
	room := p.queue.window
	batch = p.queue.startBatch(func(m *queued) bool {
		if m.kind == schema.KindSnapshot {
			return !b.holdsSnapshotsUp()
		}
		return events.Messages == 0
	})
	p.mu.Unlock()
	if all.Messages == 0 {
		return batch
	}
	late, lost := b.read(spool.Events, min(room, drainRecords))
	snapshots, gone := b.read(spool.Snapshots, min(room, b.drain))
	spiller(p).lose(dropDamaged, lost+gone)
	for _, list := range [][]*queued{late, snapshots} {
		p.tellDrops(list)
		batch = append(batch, list...)
	}
	return batch
}

// tellDrops has the first message behind those that had to go say so.
func (p batcher) tellDrops(list []*queued) {
	if len(list) == 0 || !list[0].isOwn() || !p.backlog.untold[laneOf(list[0].kind)] {
		return
	}
	first := list[0].msg
	m, err := schema.DecodeMsg(first.Subject, first.Header, first.Data)
	if err != nil {
		return // as it was
	}
	p.mu.Lock()
	m.Dropped = p.queue.drops()
	p.mu.Unlock()
	if payload, encoding, err := schema.Encode(nil, m); err == nil {
		list[0].msg = newMsg(first.Subject, m.ID(), encoding, list[0].count, payload)
	}
}

// finishBatch takes over what came of a batch, and reports it. It reports whether nothing of it is left.
func (p batcher) finishBatch(batch []*queued, errs []error, took time.Duration) bool {
	b := p.backlog
	b.mu.Lock()
	p.mu.Lock()
	for i, err := range errs {
		if m := batch[i]; err == nil && len(m.ends) > 0 {
			p.ended.told(schema.StreamFor(m.kind), m.ends)
		}
	}
	all, acked, refused := p.queue.finishBatch(batch, errs)
	p.adapt(batch, all, took)
	for _, life := range b.sweep() {
		p.tellEnd(life)
	}
	p.stats.Acked += acked
	p.stats.Dropped += refused
	p.lookAtDisk()
	dropped, waiting := p.stats.Dropped, len(p.queue.messages)+p.disk.Messages
	p.mu.Unlock()
	b.mu.Unlock()

	if refused > 0 {
		p.spells.loses(dropTooLarge, refused)
	}
	p.spells.published(all, dropped, waiting, errs)
	return all
}

// adapt makes the batches of snapshots from the disk larger or smaller, so that one takes a quarter of a second at most.
func (p batcher) adapt(batch []*queued, all bool, took time.Duration) {
	b := p.backlog
	switch {
	case !all:
		b.drain = 1
	case took > drainTime:
		b.drain = max(1, b.drain/2)
	default:
		b.drain = min(2*b.drain, drainRecords)
	}
	for _, m := range batch {
		if all && m.onDisk != nil && m.onDisk.own {
			delete(b.untold, laneOf(m.kind))
		}
	}
}

// tellEnd has the log hear of the end of a life of which nothing waits any more. The caller holds both locks.
func (p batcher) tellEnd(life schema.Instance) {
	for i := range p.ends {
		if p.ends[i].Instance == life {
			p.ended.add(p.ends[i])
			p.ends = append(p.ends[:i], p.ends[i+1:]...)
			return
		}
	}
}
