package store

import (
	"database/sql"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Hole is a span that is not stored: it was jumped over, or is in quarantine.
type Hole struct {
	Span
	Kind schema.GapKind
	Gap  GapKey // of its row in gaps
}

// Numbers says which of a producer's numbers have come: all below Next, the holes excepted.
type Numbers struct {
	Next  uint64 // the lowest number above all that came; the first is 1
	Holes []Hole // rising
}

// Producer is a row of producers: what came of one kind of one life of a producer.
type Producer struct {
	Key ProducerKey
	Numbers
	BootID      string
	Stored      uint64 // items
	Duplicates  uint64
	Quarantined uint64
	Missing     uint64
	Produced    uint64 // items of all kinds that the life has made, as it last said
	Acked       uint64 // of which the log had acknowledged so many
	EndTime     int64  // wall time of the life's last item, Unix ns; 0 until its end was told
	Dropped     string // JSON object reason -> count, as the producer last said
	Began       int64  // when its sampler began, by the boot clock, ns; 0 when it did not tell
	FirstTime   int64  // wall time of the first message, Unix ns; 0 before there is one
	LastTime    int64  // of the newest
	LastBoot    int64  // the same by the boot clock, ns
	Queued      bool   // the row is in the batch
}

// Producer reads what is known of a producer. Of one that is new, the next number is 1.
func (t Tables) Producer(key ProducerKey) (p Producer, err error) {
	p = Producer{Key: key, Numbers: Numbers{Next: 1}, Dropped: "{}"}
	err = t.lookup(`SELECT boot_id, next_seq, stored, duplicates, quarantined, missing, produced, acked, ended_ns, dropped,
		began_ns, first_ns, last_ns, last_boot_ns FROM producers WHERE host_id=? AND instance=? AND kind=?`,
		func(r *sql.Rows) error {
			return r.Scan(&p.BootID, &p.Next, &p.Stored, &p.Duplicates, &p.Quarantined, &p.Missing, &p.Produced, &p.Acked,
				&p.EndTime, &p.Dropped, &p.Began, &p.FirstTime, &p.LastTime, &p.LastBoot)
		}, key.HostID, key.Instance, key.Kind)
	if err != nil {
		return p, fmt.Errorf("load producer %s: %w", key.Instance, err)
	}
	err = t.lookup(`SELECT stream, epoch, at_seq, n, first_seq, last_seq, kind FROM gaps
		WHERE instance=? AND message_kind=? AND host_id=? AND first_seq IS NOT NULL ORDER BY first_seq`,
		func(r *sql.Rows) error {
			var h Hole
			if err := r.Scan(&h.Gap.Stream, &h.Gap.Epoch, &h.Gap.Seq, &h.Gap.N, &h.First, &h.Last, &h.Kind); err != nil {
				return err
			}
			p.Holes = append(p.Holes, h)
			return nil
		}, key.Instance, key.Kind, key.HostID)
	if err != nil {
		return p, fmt.Errorf("load the holes of producer %s: %w", key.Instance, err)
	}
	return p, nil
}

func writeProducers(tx *Tx, producers []*Producer) error {
	for _, p := range producers {
		p.Queued = false
		if _, err := tx.Exec(`INSERT INTO producers(host_id, instance, kind, boot_id, next_seq, stored, duplicates,
			quarantined, missing, produced, acked, ended_ns, dropped, began_ns, first_ns, last_ns, last_boot_ns)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT(host_id, instance, kind) DO UPDATE SET boot_id=excluded.boot_id, next_seq=excluded.next_seq,
			stored=excluded.stored, duplicates=excluded.duplicates, quarantined=excluded.quarantined,
			missing=excluded.missing, produced=excluded.produced, acked=excluded.acked, ended_ns=excluded.ended_ns, dropped=excluded.dropped, began_ns=excluded.began_ns, first_ns=excluded.first_ns,
			last_ns=excluded.last_ns, last_boot_ns=excluded.last_boot_ns`,
			p.Key.HostID, p.Key.Instance, p.Key.Kind, p.BootID, int64(p.Next), int64(p.Stored), int64(p.Duplicates),
			int64(p.Quarantined), int64(p.Missing), int64(p.Produced), int64(p.Acked), p.EndTime, p.Dropped, p.Began, p.FirstTime, p.LastTime, p.LastBoot); err != nil {
			return fmt.Errorf("store producer %s: %w", p.Key.Instance, err)
		}
	}
	return nil
}

// DeleteProducer deletes the rows of a producer unless a message newer than lastBoot (boot clock, ns) came from it. It
// reports whether it did.
func (tx *Tx) DeleteProducer(hostID int64, instance string, lastBoot int64) (bool, error) {
	res, err := tx.Exec(`DELETE FROM producers WHERE host_id = ?1 AND instance = ?2
		AND (SELECT max(last_boot_ns) FROM producers WHERE host_id = ?1 AND instance = ?2) = ?3`, hostID, instance, lastBoot)
	if err != nil {
		return false, fmt.Errorf("delete producer %s: %w", instance, err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
