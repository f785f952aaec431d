package projector

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema/durations"
)

// Stats counts what has been folded.
type Stats = store.Stats

// Position is how far a stream has been folded, and how far it goes.
type Position struct {
	Folded uint64    // sequence
	Last   uint64    // the stream's last sequence when the session began
	Moved  time.Time // when it last came further; zero when it did not yet
}

// progress is what has been committed, for those who ask and those who wait.
type progress struct {
	commits durations.Counter

	mu        sync.Mutex
	stats     Stats
	positions map[string]Position
	changed   chan struct{} // closed when the positions change
}

func newProgress() *progress {
	return &progress{positions: map[string]Position{}, changed: make(chan struct{})}
}

// update publishes what was committed. last is where each stream ended when the session began.
func (p *progress) update(committed Stats, checkpoints map[string]*store.Checkpoint, last map[string]uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Add(committed)
	for name, at := range checkpoints {
		moved := p.positions[name].Moved
		if before, known := p.positions[name]; known && at.Seq != before.Folded {
			moved = time.Now()
		}
		p.positions[name] = Position{Folded: at.Seq, Last: max(last[name], at.Seq), Moved: moved}
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// read returns what was committed so far.
func (p *progress) read() (Stats, map[string]Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats, maps.Clone(p.positions)
}

// wait waits until each stream has been folded up to a sequence.
func (p *progress) wait(ctx context.Context, upTo map[string]uint64) error {
	for {
		p.mu.Lock()
		changed, behind := p.changed, false
		for name, seq := range upTo {
			behind = behind || p.positions[name].Folded < seq
		}
		p.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
