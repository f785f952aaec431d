package projector

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// How much of what cannot be read is kept: enough to find out why, and not so much that one bad host fills the disk.
const (
	maxQuarantinedBody    = 64 << 10 // bytes of a message
	maxQuarantinedHeaders = 4 << 10  // bytes of its headers, as JSON
	keepAll               = 1000     // messages of a host and reason, whole
	keepOneIn             = 100      // of those that follow
)

// quarantine puts a message aside with its bytes. What its id says of its numbers is booked as a hole of its own
// kind, so that they are not missing too, and so that the message can still come, once it can be read.
func (f *fold) quarantine(pos *position, d *delivery, p *poison) error {
	f.stats.Quarantined++
	if again, err := f.bookQuarantined(pos, d, p); again || err != nil {
		return err
	}
	count, err := f.countQuarantined(pos, d, p)
	if err != nil {
		return err
	}
	if count > keepAll && count%keepOneIn != 0 {
		return nil
	}
	return f.keepQuarantined(pos, d, p)
}

// bookQuarantined books the numbers that a message's id claims. again says that they were booked before: the message
// came once more and is as unreadable as it was.
func (f *fold) bookQuarantined(pos *position, d *delivery, p *poison) (again bool, err error) {
	c, ok := d.parseClaim()
	if !ok || d.host == "" || p.reason == reasonOverlap || p.reason == reasonForged {
		return false, nil // it holds nobody's numbers
	}
	hostID, err := f.host(d.host)
	if err != nil {
		return false, err
	}
	l, err := f.ledger(ledgerKey{hostID, c.instance, c.kind})
	if err != nil {
		return false, err
	}
	a := l.judge(c.span)
	switch {
	case a.verdict == overlap:
		return false, nil
	case a.verdict == duplicate, a.filled != nil && a.filled.reason == reasonQuarantined:
		l.duplicates += c.span.count()
		return true, nil
	}
	if err := f.settle(pos, d, l, c.span, a); err != nil {
		return false, err
	}
	return false, f.quarantineHole(pos, d, l, c.span, p)
}

// countQuarantined counts a message, and returns how many of its kind there were.
func (f *fold) countQuarantined(pos *position, d *delivery, p *poison) (count int64, err error) {
	if _, err := f.db.exec(`INSERT INTO quarantine_counts(stream, host, reason, count) VALUES (?,?,?,1)
		ON CONFLICT(stream, host, reason) DO UPDATE SET count = count + 1`, pos.stream, d.host, p.reason); err != nil {
		return 0, err
	}
	err = f.db.query(`SELECT count FROM quarantine_counts WHERE stream=? AND host=? AND reason=?`,
		func(r *sql.Rows) error { return r.Scan(&count) }, pos.stream, d.host, p.reason)
	return count, err
}

func (f *fold) keepQuarantined(pos *position, d *delivery, p *poison) error {
	sum := sha256.Sum256(d.payload)
	headers, err := json.Marshal(d.header)
	if err != nil {
		return err
	}
	if d.header == nil || len(headers) > maxQuarantinedHeaders {
		headers = []byte("{}")
	}
	body := any(d.payload)
	if len(d.payload) > maxQuarantinedBody {
		body = nil
	}
	_, err = f.db.exec(`INSERT INTO quarantine(stream, epoch, seq, timestamp, subject, host, message_id, reason, error,
		size, sha256, headers, payload) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		pos.stream, pos.epoch, int64(pos.seq), schema.Timestamp(pos.stored), d.subject, nullText(d.host),
		nullText(d.header.Get(nats.MsgIdHdr)), p.reason, p.err.Error(), len(d.payload), hex.EncodeToString(sum[:]),
		string(headers), body)
	if err != nil {
		return fmt.Errorf("put a message into quarantine: %w", err)
	}
	return nil
}

// release takes a message out of quarantine that came again and could be read: its header says where it lay.
func (f *fold) release(d *delivery) error {
	stream, epoch, seq, ok := schema.ParseReplayed(d.header.Get(schema.HeaderReplayed))
	if !ok || stream != d.stream {
		return nil
	}
	_, err := f.db.exec(`DELETE FROM quarantine WHERE stream=? AND epoch=? AND seq=? AND host=?`, stream, epoch, seq, d.host)
	return err
}

// claim is what a message's id says of it when nothing else can be read: whose it is and which numbers it holds.
type claim struct {
	instance string
	kind     string
	span     span
}

// parseClaim reads the id and count from the headers. An id of another kind than the subject's claims nothing.
func (d *delivery) parseClaim() (claim, bool) {
	id, _, _ := strings.Cut(d.header.Get(nats.MsgIdHdr), schema.ReplayedMark)
	instance, rest, ok := strings.Cut(id, ".")
	i := strings.LastIndexByte(rest, '.')
	if !ok || i < 0 || schema.Kind(rest[:i]) != d.kind {
		return claim{}, false
	}
	var parsed schema.Instance
	if parsed.UnmarshalText([]byte(instance)) != nil {
		return claim{}, false
	}
	first, err := strconv.ParseUint(rest[i+1:], 10, 62)
	if err != nil || first == 0 {
		return claim{}, false
	}
	count, err := strconv.ParseUint(d.header.Get(schema.HeaderItems), 10, 62)
	if err != nil || count == 0 || count > schema.MaxEvents {
		count = 1
	}
	return claim{parsed.String(), rest[:i], span{first, first + count - 1}}, true
}
