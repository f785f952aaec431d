package publish

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// spiller moves what waits in a publisher's memory to disk.
type spiller struct{ *Publisher }

// lose counts items of this life that are lost.
func (p spiller) lose(why string, items uint64) {
	if items == 0 {
		return
	}
	p.mu.Lock()
	p.queue.dropped[why] += items
	p.stats.Dropped += items
	p.mu.Unlock()
	p.spells.loses(why, items)
}

// spill moves what waits in memory to disk, if something has waited for so long. It reports whether nothing is left in memory.
func (p spiller) spill(after time.Duration) bool {
	b := p.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.off || p.lives == nil {
		return false
	}
	own, others := b.expire()
	p.lose(dropTooOld, own)
	p.tellOthers(dropTooOld, others)
	p.mu.Lock()
	list, size := p.oldEnough(after)
	p.mu.Unlock()
	if len(list) == 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lookAtDisk()
		return len(p.queue.messages) == 0
	}
	own, others = b.makeRoom(size)
	p.lose(dropSpoolFull, own)
	p.tellOthers(dropSpoolFull, others)
	stored, err := b.store(list) // the publisher goes on to take messages meanwhile
	p.spells.stored(err)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range list {
		m.storing = false
	}
	p.queue.remove(stored...)
	p.lookAtDisk()
	return err == nil && len(p.queue.messages) == 0
}

// tellOthers reports items of earlier lives that are lost. Their numbers tell the log.
func (p spiller) tellOthers(why string, items uint64) {
	if items > 0 {
		p.spells.loses(why, items)
	}
}

// oldEnough is all that waits in memory, and its size on disk, if the oldest of it has waited for so long. Of more than the disk may have the
// oldest is dropped.
func (p spiller) oldEnough(after time.Duration) (list []*queued, size int64) {
	if len(p.queue.messages) == 0 || time.Since(p.queue.messages[0].since) < after {
		return nil, 0
	}
	p.stats.Dropped += p.queue.dropOver(int(p.backlog.limit/2), dropSpoolFull)
	for _, m := range p.queue.messages {
		m.storing = true
		list = append(list, m)
		size += int64(len(m.msg.Data) + len(m.msg.Subject) + 100)
	}
	return list, size
}

// leave moves to disk what the log did not take before the stop. It reports whether all of that is there.
func (p spiller) leave() bool {
	if !p.spill(0) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Left = p.stats.Produced - p.stats.Acked - p.stats.Dropped
	return true
}

// Keep moves what waits for the log to disk now, and returns when it is there. It reports whether all of it is.
func Keep(p *Publisher) bool { return spiller{p}.spill(0) }

// Waits reports whether something of a host waits on disk in a folder of lives.
func Waits(lives, host string) bool {
	spools, _ := filepath.Glob(filepath.Join(lives, host+".*"+spool.Suffix)) // the pattern is good
	return len(spools) > 0
}

// Leave writes a message of a life that makes no other to disk, into a folder of lives, for a log as [Config.Into] names it. Whoever publishes into that
// log for the message's host next, with [Config.TellsEnds], publishes it.
func Leave(lives, into string, m *schema.Message) error {
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return err
	}
	b := newBacklog(lives, spool.Head{Host: m.Host, Instance: m.Instance, BootID: m.BootID, Wall: time.Now().UnixNano(), Log: into}, 0, 0, nil)
	_, err = b.store([]*queued{newQueued(m, payload, encoding)})
	if b.own != nil {
		err = errors.Join(err, b.own.Close())
	}
	return err
}
