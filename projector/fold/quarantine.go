package fold

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/proctape/proctape/projector/store"
)

// How much of what cannot be read is kept: enough to find out why, and not so much that one bad host fills the disk.
const (
	maxQuarantinedBody    = 64 << 10 // bytes of a message
	maxQuarantinedHeaders = 4 << 10  // bytes of its headers, as JSON
	keepAll               = 1000     // messages of a host and reason, whole
	keepOneIn             = 100      // of those that follow
)

// quarantine puts messages aside that cannot be folded.
type quarantine struct{ tables Tables }

// put puts a message aside with its bytes, so that it can still come, once it can be read.
func (q quarantine) put(to place, d *Delivery, why *Poison) error {
	group := store.QuarantineGroup{Stream: to.at.Stream, Host: d.Host, Reason: why.Reason}
	before, err := q.tables.Quarantined(group)
	if err != nil {
		return err
	}
	to.batch.Quarantined[group]++
	if count := before + to.batch.Quarantined[group]; count > keepAll && count%keepOneIn != 0 {
		return nil
	}
	to.batch.Quarantine = append(to.batch.Quarantine, store.QuarantineChange{In: quarantined(to, d, why)})
	return nil
}

// quarantined is the row of a message.
func quarantined(to place, d *Delivery, why *Poison) *store.QuarantinedMessage {
	sum := sha256.Sum256(d.Payload)
	headers, _ := json.Marshal(d.Header) // strings always encode
	if d.Header == nil || len(headers) > maxQuarantinedHeaders {
		headers = []byte("{}")
	}
	q := &store.QuarantinedMessage{Key: store.QuarantineKey{Stream: to.at.Stream, Epoch: to.at.Epoch, Seq: int64(to.at.Seq)},
		Stored: to.at.Stored, Subject: d.Subject, Host: d.Host, MessageID: d.ID, Reason: why.Reason,
		Error: why.Err.Error(), Size: len(d.Payload), SHA256: hex.EncodeToString(sum[:]), Headers: string(headers)}
	if len(d.Payload) <= maxQuarantinedBody {
		q.Payload = d.Payload
	}
	return q
}
