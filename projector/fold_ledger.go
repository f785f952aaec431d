package projector

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// ledgerKey names one kind of one life of a producer.
type ledgerKey struct {
	hostID   int64
	instance string
	kind     string
}

// ledger is one row of producers, and the holes in its numbers.
type ledger struct {
	numbers
	key         ledgerKey
	bootID      string
	stored      uint64
	duplicates  uint64
	quarantined uint64
	missing     uint64
	dropped     string // JSON object
	firstTime   int64  // Unix ns
	lastTime    int64
	lastBoot    int64
	dirty       bool // it is to be written
}

// note takes in what a message's envelope says of its producer.
func (l *ledger) note(m *schema.Message) {
	if l.firstTime == 0 {
		l.firstTime, l.bootID = m.Wall, strings.Clone(m.BootID)
	}
	if m.Boot < l.lastBoot { // late: what is known is newer
		return
	}
	l.lastTime, l.lastBoot = m.Wall, m.Boot
	if len(m.Dropped) > 0 {
		drops := make(map[string]uint64, len(m.Dropped))
		for _, d := range m.Dropped {
			drops[d.Reason] = d.Count
		}
		b, _ := json.Marshal(drops) // a map of numbers always encodes
		l.dropped = string(b)
	}
}

// ledger returns the ledger of a key, from memory, the database, or new. It is written with the batch.
func (f *fold) ledger(key ledgerKey) (*ledger, error) {
	l, ok := f.ledgers[key]
	if !ok {
		var err error
		if l, err = f.loadLedger(key); err != nil {
			return nil, fmt.Errorf("load producer %s: %w", key.instance, err)
		}
		f.ledgers[key] = l
	}
	if !l.dirty {
		l.dirty = true
		f.dirtyLedgers = append(f.dirtyLedgers, l)
	}
	return l, nil
}

func (f *fold) loadLedger(key ledgerKey) (*ledger, error) {
	l := &ledger{key: key, numbers: numbers{next: 1}, dropped: "{}"}
	err := f.db.lookup(`SELECT boot_id, next_seq, stored, duplicates, quarantined, missing, dropped, first_ns, last_ns,
		last_boot_ns FROM producers WHERE host_id=? AND instance=? AND kind=?`,
		func(r *sql.Rows) error {
			return r.Scan(&l.bootID, &l.next, &l.stored, &l.duplicates, &l.quarantined, &l.missing, &l.dropped,
				&l.firstTime, &l.lastTime, &l.lastBoot)
		}, key.hostID, key.instance, key.kind)
	if err != nil {
		return nil, err
	}
	err = f.db.lookup(`SELECT stream, epoch, at_seq, n, first_seq, last_seq, reason FROM gaps
		WHERE instance=? AND kind=? AND host_id=? AND first_seq IS NOT NULL ORDER BY first_seq`,
		func(r *sql.Rows) error {
			var h hole
			if err := r.Scan(&h.at.stream, &h.at.epoch, &h.at.seq, &h.at.n, &h.first, &h.last, &h.reason); err != nil {
				return err
			}
			l.holes = append(l.holes, h)
			return nil
		}, key.instance, key.kind, key.hostID)
	return l, err
}

func (f *fold) flushLedgers() error {
	for _, l := range f.dirtyLedgers {
		l.dirty = false
		if _, err := f.db.exec(`INSERT INTO producers(host_id, instance, kind, boot_id, next_seq, stored, duplicates,
			quarantined, missing, dropped, first_ns, last_ns, last_boot_ns)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT(host_id, instance, kind) DO UPDATE SET boot_id=excluded.boot_id, next_seq=excluded.next_seq,
			stored=excluded.stored, duplicates=excluded.duplicates, quarantined=excluded.quarantined,
			missing=excluded.missing, dropped=excluded.dropped, first_ns=excluded.first_ns,
			last_ns=excluded.last_ns, last_boot_ns=excluded.last_boot_ns`,
			l.key.hostID, l.key.instance, l.key.kind, l.bootID, int64(l.next), int64(l.stored), int64(l.duplicates),
			int64(l.quarantined), int64(l.missing), l.dropped, l.firstTime, l.lastTime, l.lastBoot); err != nil {
			return fmt.Errorf("store producer %s: %w", l.key.instance, err)
		}
	}
	f.dirtyLedgers = f.dirtyLedgers[:0]
	return nil
}

// gapKey is the primary key of gaps: the message at which the hole was noticed, and which of its holes it is.
type gapKey struct {
	stream string
	epoch  int64
	seq    uint64
	n      int
}

// gap is one row of gaps, and one line of events.jsonl.
type gap struct {
	reason   string
	host     string
	ledger   *ledger // whose numbers are missing; nil when the gap is no producer's
	span     span
	count    schema.Opt[int64]
	from, to int64 // Unix ns; 0 when not known
	details  string
}

// gap stores a hole in the story at the place where it was noticed, as a row and a line.
func (f *fold) gap(pos *position, g gap) (gapKey, error) {
	key, err := f.newGap(pos, g)
	if err == nil && f.events != nil {
		f.events.Append(func(b []byte) []byte {
			return ndjson.AppendGap(b, ndjson.Gap{Timestamp: schema.Timestamp(pos.stored), Host: g.host, Stream: pos.stream,
				Reason: g.reason, Count: g.count, FromTime: schema.Timestamp(g.from), ToTime: schema.Timestamp(g.to), Details: g.details})
		})
	}
	f.stats.Gaps++
	return key, err
}

func (f *fold) newGap(pos *position, g gap) (gapKey, error) {
	key := gapKey{pos.stream, pos.epoch, pos.seq, pos.n}
	pos.n++
	var hostID, instance, kind, first, last any
	if g.host != "" {
		hostID = HostID(g.host)
	}
	if g.ledger != nil {
		instance, kind = g.ledger.key.instance, g.ledger.key.kind
		if g.span.last > 0 {
			first, last = int64(g.span.first), int64(g.span.last)
		}
	}
	_, err := f.db.exec(`INSERT INTO gaps(stream, epoch, at_seq, n, timestamp, reason, host_id, instance, kind,
		first_seq, last_seq, count, from_time, to_time, details) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		key.stream, key.epoch, int64(key.seq), key.n, schema.Timestamp(pos.stored), g.reason, hostID, instance, kind,
		first, last, nullable(g.count), nullTime(g.from), nullTime(g.to), g.details)
	if err != nil {
		return key, fmt.Errorf("store a gap: %w", err)
	}
	return key, nil
}

// The reasons for holes in a producer's numbers.
const (
	reasonMissing     = "missing"                 // they did not come
	reasonBefore      = "before the log"          // the first that came has a higher number
	reasonDropped     = "dropped by the producer" // which says so itself
	reasonQuarantined = "quarantined"             // they came, and could not be read
)

// jumpReason says why numbers before a message were jumped over, as far as the message itself tells.
func (l *ledger) jumpReason(m *schema.Message, s span) (reason, details string) {
	if l.stored == 0 && l.quarantined == 0 {
		return reasonBefore, fmt.Sprintf("the log begins after %s %d of this producer", l.key.kind, s.last)
	}
	details = fmt.Sprintf("%s %d to %d did not come", l.key.kind, s.first, s.last)
	if m == nil {
		return reasonMissing, details
	}
	if had, _ := dropSum(l.dropped); sumDrops(m.Dropped) >= had+s.count() {
		return reasonDropped, details + ": " + describeDrops(m.Dropped)
	}
	return reasonMissing, details
}

// dropSum is the sum of the counts in a ledger's JSON object.
func dropSum(dropped string) (sum uint64, err error) {
	var drops map[string]uint64
	err = json.Unmarshal([]byte(dropped), &drops)
	for _, n := range drops {
		sum += n
	}
	return sum, err
}

func sumDrops(drops []schema.Drop) (sum uint64) {
	for _, d := range drops {
		sum += d.Count
	}
	return sum
}

func describeDrops(drops []schema.Drop) string {
	words := make([]string, len(drops))
	for i, d := range drops {
		words[i] = fmt.Sprintf("%s %d so far", d.Reason, d.Count)
	}
	return strings.Join(words, ", ")
}

// openHole books numbers that were jumped over.
func (f *fold) openHole(pos *position, d *delivery, l *ledger, s span) error {
	reason, details := l.jumpReason(d.msg, s)
	key, err := f.gap(pos, gap{reason: reason, host: d.host, ledger: l, span: s, count: schema.Some(int64(s.count())),
		from: l.lastTime, to: pos.stored, details: details})
	l.missing += s.count()
	l.open(hole{s, reason, key})
	return err
}

// quarantineHole books numbers that came and could not be read: a hole too, until they can be.
func (f *fold) quarantineHole(pos *position, d *delivery, l *ledger, s span, p *poison) error {
	key, err := f.gap(pos, gap{reason: reasonQuarantined, host: d.host, ledger: l, span: s, count: schema.Some(int64(s.count())),
		from: l.lastTime, to: pos.stored, details: p.reason + ": " + p.err.Error()})
	l.quarantined += s.count()
	l.open(hole{s, reasonQuarantined, key})
	return err
}

// fillHole takes numbers that came after all out of the hole they left. What remains of it stays a gap.
func (f *fold) fillHole(pos *position, d *delivery, l *ledger, s span, a admission) error {
	h := a.filled
	if _, err := f.db.exec(`DELETE FROM gaps WHERE stream=? AND epoch=? AND at_seq=? AND n=?`,
		h.at.stream, h.at.epoch, int64(h.at.seq), h.at.n); err != nil {
		return fmt.Errorf("fill a gap: %w", err)
	}
	l.close(h.first)
	if h.reason == reasonQuarantined {
		l.quarantined -= s.count()
	} else {
		l.missing -= s.count()
	}
	for _, rest := range a.rest {
		key, err := f.newGap(pos, gap{reason: h.reason, host: d.host, ledger: l, span: rest,
			count: schema.Some(int64(rest.count())), to: pos.stored,
			details: fmt.Sprintf("%s %d to %d did not come", l.key.kind, rest.first, rest.last)})
		if err != nil {
			return err
		}
		l.open(hole{rest, h.reason, key})
	}
	return nil
}

// applyGaps stores the holes that a producer itself knows of.
func (f *fold) applyGaps(pos *position, d *delivery) error {
	for i := range d.msg.Gaps {
		g := &d.msg.Gaps[i]
		if _, err := f.gap(pos, gap{reason: g.Reason, host: d.msg.Host, count: g.Count, from: g.FromWall, to: g.ToWall,
			details: g.Details}); err != nil {
			return err
		}
	}
	return nil
}

// nullTime is a time as SQL has it: NULL for none.
func nullTime(ns int64) any {
	if ns == 0 {
		return nil
	}
	return schema.Timestamp(ns)
}
