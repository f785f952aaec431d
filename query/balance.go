package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// HostBalance is the balance of a host, in items: what its producers produced, and what became of it. Produced is the sum of
// Stored, Quarantined, Missing, and NotCome or, once [InFlight] was asked, InFlight, and Waiting once [Waiting] was. Duplicates
// come on top.
type HostBalance struct {
	Host        string  `json:"host"`
	Produced    int64   `json:"produced"` // as the producers say, and as their numbers do
	Stored      int64   `json:"stored"`
	Quarantined int64   `json:"quarantined"`
	Missing     int64   `json:"missing"`
	NotCome     int64   `json:"not_come"`  // made after all that has come: on their way, or lost at the end of a producer's life; 0 once [InFlight] was asked
	InFlight    *int64  `json:"in_flight"` // in the log and not yet in the database; nil until [InFlight] was asked
	Waiting     *int64  `json:"waiting"`   // in the sampler and not yet in the log; on its disk too; nil where no sampler tells
	Duplicates  int64   `json:"duplicates"`
	LastTime    float64 `json:"last_time"` // wall time of the newest message, Unix seconds
	Snapshots   int64   `json:"snapshots"` // kept at full resolution
	// AtLeast are the keys of sums that are lower bounds: they stopped at [schema.MaxSum].
	AtLeast []string `json:"at_least,omitempty"`
	// Capabilities are what the host's sampler could see at its newest snapshot; none when that was deleted.
	Capabilities []string `json:"capabilities"`

	next      map[producerKind]int64 // the next number expected
	spooled   int64                  // what Waiting has of numbers that were jumped over
	lostAtEnd int64                  // what [InFlight] counted as missing: some of it may wait in a sampler
}

// producerKind is one kind of message of one life of a producer.
type producerKind struct {
	instance string
	kind     schema.Kind
}

// HostNames returns the names of the hosts that were recorded, in order. The fleet is none.
func HostNames(ctx context.Context, db *DB) ([]string, error) {
	return collect(ctx, db, `SELECT name FROM hosts WHERE name <> '`+schema.Fleet+`' ORDER BY name`, nil, func(r *sql.Rows, name *string) error { return r.Scan(name) })
}

// Hosts returns the balance of every host that was recorded, by name. Sums are of floating point: exact to 2^53, and none
// overflows.
func Hosts(ctx context.Context, db *DB) ([]HostBalance, error) {
	hosts, err := collect(ctx, db, `SELECT h.name, `+countOf("p.next_seq - 1")+`, coalesce((`+notComeOf+`), 0), `+countOf("p.stored")+`,
		`+countOf("p.quarantined")+`, `+countOf("p.missing")+`, `+countOf("p.duplicates")+`,
		coalesce(max(p.last_ns), 0) / 1e9, (SELECT count(*) FROM snapshots s WHERE s.host_id = h.id),
		coalesce((SELECT s.capabilities FROM rosters r JOIN snapshots s ON s.id = r.last_snapshot WHERE r.host_id = h.id), '[]')
		FROM hosts h LEFT JOIN producers p ON p.host_id = h.id GROUP BY h.id ORDER BY h.name`, nil,
		func(r *sql.Rows, h *HostBalance) error {
			var capabilities []byte
			if err := r.Scan(&h.Host, &h.Produced, &h.NotCome, &h.Stored, &h.Quarantined, &h.Missing, &h.Duplicates, &h.LastTime, &h.Snapshots,
				&capabilities); err != nil {
				return err
			}
			for _, n := range []*int64{&h.Produced, &h.NotCome, &h.Stored, &h.Quarantined, &h.Missing, &h.Duplicates} {
				*n = min(*n, schema.MaxSum)
			}
			h.Produced = schema.AddSaturated(h.Produced, h.NotCome)
			h.noteBounds()
			return json.Unmarshal(capabilities, &h.Capabilities)
		})
	if err != nil {
		return nil, fmt.Errorf("read the hosts: %w", err)
	}
	byName := map[string]*HostBalance{}
	for i := range hosts {
		hosts[i].next = map[producerKind]int64{}
		byName[hosts[i].Host] = &hosts[i]
	}
	if err := addSpooled(ctx, db, byName); err != nil {
		return nil, err
	}
	return hosts, each(ctx, db.db, `SELECT h.name, p.instance, p.kind, p.next_seq FROM producers p JOIN hosts h ON h.id = p.host_id`, nil,
		func(r *sql.Rows) error {
			var host, instance, kind string
			var next int64
			if err := r.Scan(&host, &instance, &kind, &next); err != nil {
				return err
			}
			if h := byName[host]; h != nil { // else it came between the two reads
				h.next[producerKind{instance, schema.Kind(kind)}] = next
			}
			return nil
		})
}

// addSpooled adds what waits on the disks of samplers: numbers that were jumped over, of lives that go on and say that the log has not
// acknowledged so many. A producer that never says so has nothing that waits.
func addSpooled(ctx context.Context, db *DB, byName map[string]*HostBalance) error {
	return each(ctx, db.db, `SELECT h.name, `+countOf("min(missing, waits)")+` FROM (
		SELECT host_id, `+countOf("missing")+` AS missing, max(produced) - max(acked) - max((SELECT `+countOf("value")+` FROM json_each(dropped))) AS waits
		FROM producers GROUP BY host_id, instance HAVING max(ended_ns) = 0 AND max(acked) > 0) l
		JOIN hosts h ON h.id = l.host_id WHERE missing > 0 AND waits > 0 GROUP BY h.name`, nil,
		func(r *sql.Rows) error {
			var host string
			var waits int64
			if err := r.Scan(&host, &waits); err != nil {
				return err
			}
			if h := byName[host]; h != nil {
				h.Waiting, h.spooled = &waits, waits
				h.Missing -= min(waits, h.Missing)
			}
			return nil
		})
}

// notComeOf is how many items of a host (h) its producers made after all that has come of them.
var notComeOf = `SELECT ` + countOf("n") + ` FROM (SELECT max(max(produced) - ` + countOf("next_seq - 1") + `, 0) AS n FROM producers WHERE host_id = h.id GROUP BY instance)`

// HostOfBoot returns the name under which the machine of a boot id was sampled last; empty when it never was.
func HostOfBoot(ctx context.Context, db *DB, bootID string) (name string, err error) {
	err = each(ctx, db.db, `SELECT h.name FROM rosters r JOIN hosts h ON h.id = r.host_id WHERE r.boot_id = ? ORDER BY r.boot_ns DESC LIMIT 1`,
		[]any{bootID}, func(r *sql.Rows) error { return r.Scan(&name) })
	return name, err
}

// InFlight asks the log for the newest message of every kind of a host, and adds to the host's balance what is in the log
// and not yet in the database. What was made and is in neither is missing, or waits at its producer. Call it once for each balance that Hosts returned.
func InFlight(ctx context.Context, js jetstream.JetStream, h *HostBalance) error {
	kinds := map[schema.Kind]bool{schema.KindSnapshot: true, schema.KindSpawn: true, schema.KindExit: true}
	for k := range h.next {
		kinds[k.kind] = true
	}
	var inFlight int64
	for kind := range kinds {
		stream, err := js.Stream(ctx, schema.StreamFor(kind))
		if err != nil {
			return err
		}
		raw, err := stream.GetLastMsgForSubject(ctx, schema.Subject(h.Host, kind))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		} else if err != nil {
			return err
		}
		m, err := schema.DecodeMsg(raw.Subject, raw.Header, raw.Data)
		if err != nil {
			continue // it holds no numbers that could be in flight
		}
		next := max(1, h.next[producerKind{m.Instance.String(), kind}])
		inFlight += max(0, int64(m.Seq+m.Count())-next)
		h.next[producerKind{m.Instance.String(), kind}] = max(next, int64(m.Seq+m.Count()))
	}
	h.InFlight = &inFlight
	h.Produced = schema.AddSaturated(h.Produced, max(inFlight-h.NotCome, 0))
	h.lostAtEnd = max(h.NotCome-inFlight, 0)
	h.Missing = schema.AddSaturated(h.Missing, h.lostAtEnd)
	h.NotCome = 0
	h.noteBounds()
	return nil
}

// noteBounds notes which sums are lower bounds.
func (h *HostBalance) noteBounds() {
	h.AtLeast = lowerBounds(namedCount{"produced", h.Produced}, namedCount{"stored", h.Stored}, namedCount{"quarantined", h.Quarantined},
		namedCount{"missing", h.Missing}, namedCount{"not_come", h.NotCome}, namedCount{"duplicates", h.Duplicates})
}
