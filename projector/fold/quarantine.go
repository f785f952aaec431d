package fold

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// How much of what cannot be read is kept: enough to find out why, and not so much that one bad host fills the disk.
const (
	maxQuarantinedBody    = 64 << 10 // bytes of a message
	maxQuarantinedHeaders = 4 << 10  // bytes of its headers, as JSON
	keepAll               = 1000     // messages of a host and reason, whole
	keepOneIn             = 100      // of those that follow
)

// quarantine puts messages aside that cannot be folded.
type quarantine struct {
	tables    Tables
	hosts     hosts
	producers producers
}

// put puts a message aside with its bytes. What its id says of its numbers is booked as a hole of its own kind, so that
// they are not missing too, and so that the message can still come, once it can be read.
func (q quarantine) put(to place, d *Delivery, why *Poison) error {
	to.batch.Stats.Quarantined++
	if again, err := q.bookNumbers(to, d, why); again || err != nil {
		return err
	}
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

// bookNumbers books the numbers that a message's id claims. again says that they were booked before: the message came
// once more and is as unreadable as it was.
func (q quarantine) bookNumbers(to place, d *Delivery, why *Poison) (again bool, err error) {
	c, ok := d.parseClaim()
	if !ok || d.Host == "" || why.Reason == ReasonOverlap || why.Reason == ReasonForged {
		return false, nil // it holds nobody's numbers
	}
	hostID := q.hosts.id(d.Host, to.batch)
	p, err := q.producers.get(to, store.ProducerKey{HostID: hostID, Instance: c.instance, Kind: c.kind})
	if err != nil {
		return false, err
	}
	a := p.numbers().classify(c.span)
	switch {
	case a.state == overlap:
		return false, nil
	case a.state == duplicate, a.filled != nil && a.filled.Reason == reasonQuarantined:
		p.Duplicates += c.span.Count()
		return true, nil
	}
	p.record(to, d, c.span, a)
	p.quarantineHole(to, d, c.span, why)
	return false, nil
}

// quarantined is the row of a message.
func quarantined(to place, d *Delivery, why *Poison) *store.QuarantinedMessage {
	sum := sha256.Sum256(d.Payload)
	headers, _ := json.Marshal(d.Header) // strings always encode
	if d.Header == nil || len(headers) > maxQuarantinedHeaders {
		headers = []byte("{}")
	}
	q := &store.QuarantinedMessage{Key: store.QuarantineKey{Stream: to.at.Stream, Epoch: to.at.Epoch, Seq: int64(to.at.Seq)},
		Stored: to.at.Stored, Subject: d.Subject, Host: d.Host, MessageID: d.Header.Get(schema.HeaderID), Reason: why.Reason,
		Error: why.Err.Error(), Size: len(d.Payload), SHA256: hex.EncodeToString(sum[:]), Headers: string(headers)}
	if len(d.Payload) <= maxQuarantinedBody {
		q.Payload = d.Payload
	}
	return q
}

// release takes a message out of quarantine that came again and could be read: its header says where it lay.
func (q quarantine) release(to place, d *Delivery) {
	stream, epoch, seq, ok := schema.ParseReplayed(d.Header.Get(schema.HeaderReplayed))
	if !ok || stream != d.Stream {
		return
	}
	to.batch.Quarantine = append(to.batch.Quarantine, store.QuarantineChange{
		Out: &store.QuarantineKey{Stream: stream, Epoch: epoch, Seq: seq}, Host: d.Host})
}
