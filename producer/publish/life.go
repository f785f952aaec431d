package publish

import (
	"context"
	"sync"
	"time"

	"github.com/proctape/proctape/schema"
)

// lifePeriod is how often a life writes down what it has reached, while that changes: what it makes after the last time and does
// not publish is lost unseen when it is cut off. A write costs two syncs of the disk; a log syncs for every message.
const lifePeriod = time.Second

// lifeKeeper keeps the file of a publisher's life.
type lifeKeeper struct{ *Publisher }

// start begins to write down what this life reaches. The function that it returns ends that, and writes how it ended.
func (p lifeKeeper) start() (end func()) {
	if p.lives == nil {
		return func() {}
	}
	keeping, stop := context.WithCancel(context.Background())
	var keeper sync.WaitGroup
	keeper.Go(func() {
		tick := time.NewTicker(lifePeriod)
		defer tick.Stop()
		for keeping.Err() == nil {
			p.save(false)
			spiller(p).spill(spillAfter)
			select {
			case <-tick.C:
				p.takeUpLives()
			case <-keeping.Done():
			}
		}
	})
	return func() {
		stop()
		keeper.Wait()
		p.save(true)
		s := p.Stats()
		p.backlog.close()
		p.lives.close(p.cfg.TellsEnds || s.Acked < s.Produced)
	}
}

// save writes down what this life has reached, and lets go of the lives of which the log has heard. final says that nothing
// more is made.
func (p lifeKeeper) save(final bool) {
	p.mu.Lock()
	reached, told := p.reached(final), p.ended.takeTold()
	p.mu.Unlock()
	p.lives.save(&reached)
	p.lives.forget(told)
}

// reached is what this life has reached. The caller holds the lock.
func (p lifeKeeper) reached(final bool) schema.End {
	e := schema.End{Instance: p.cfg.Origin.Instance, BootID: p.cfg.Origin.BootID, Wall: p.wall, Boot: p.boot, Final: final,
		Produced: p.stats.Produced, Acked: p.stats.Acked, Dropped: p.queue.drops()}
	for _, k := range schema.Kinds() {
		if last := p.last[k.Kind]; last > 0 {
			e.Reached = append(e.Reached, schema.Reached{Kind: k.Kind, Seq: last})
		}
	}
	return e
}
