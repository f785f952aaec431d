package fold

import (
	"fmt"
	"strings"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// place is where a message is folded to: a batch, and the checkpoint of the message's stream, which is at the message.
type place struct {
	at     *store.Checkpoint
	batch  *store.Batch
	hostID int64 // of the message; 0 for none
	rowID  int64 // of what the message holds
}

// hosts are the ids of the hosts whose rows are stored or in the batch, by name.
type hosts map[string]int64

// place is where a message is folded to. A host's row is added to the batch when its first message comes; a message that
// cannot be read and holds no numbers brings no host.
func (h hosts) place(at *store.Checkpoint, batch *store.Batch, d *Delivery) place {
	to := place{at: at, batch: batch, rowID: at.IDBase + int64(d.Seq)}
	if d.Msg == nil && d.Numbers == nil {
		return to
	}
	id, ok := h[d.Host]
	if !ok {
		name := strings.Clone(d.Host)
		id = store.HostID(name)
		h[name] = id
		batch.Hosts = append(batch.Hosts, store.Host{ID: id, Name: name})
	}
	to.hostID = id
	return to
}

// advance moves the checkpoint to a message. Sequences that were jumped over are a gap.
func (to place) advance(d *Delivery) {
	jumped, from, fromTime := d.Seq-to.at.Seq-1, to.at.Seq, to.at.Stored
	to.at.Seq, to.at.Stored, to.at.Gaps = d.Seq, d.Stored.UnixNano(), 0
	if from == 0 {
		to.at.First = d.Seq
	}
	if jumped == 0 {
		return
	}
	kind := schema.GapStreamHole
	if from == 0 {
		kind = schema.GapTrimmedUnread
	}
	to.gap(store.Gap{Kind: kind, Count: schema.Some(int64(jumped)), From: fromTime, To: to.at.Stored,
		Details: fmt.Sprintf("messages %d to %d of the stream are not there", from+1, d.Seq-1)})
}

// itemBits leaves room for the items of one message behind its id: [schema.MaxEvents] is below 2^10. The row id of an item
// is rowID<<itemBits plus its place in the message.
const itemBits = 10

// gap adds a gap, with its line, and returns its key.
func (to place) gap(g store.Gap) store.GapKey {
	to.batch.Stats.Gaps++
	return to.addGap(store.GapNoticed, g)
}

// remains adds what is left of a gap that was filled in part, and returns its key.
func (to place) remains(g store.Gap) store.GapKey { return to.addGap(store.GapRemains, g) }

func (to place) addGap(change store.GapChangeKind, g store.Gap) store.GapKey {
	g.Key = store.GapKey{Stream: to.at.Stream, Epoch: to.at.Epoch, Seq: to.at.Seq, N: to.at.Gaps}
	g.Noticed = to.at.Stored
	to.at.Gaps++
	to.batch.Gaps = append(to.batch.Gaps, store.GapChange{Change: change, Gap: g})
	return g.Key
}

// filled takes a gap away.
func (to place) filled(key store.GapKey) {
	to.batch.Gaps = append(to.batch.Gaps, store.GapChange{Change: store.GapFilled, Gap: store.Gap{Key: key}})
}
