package query

import (
	"context"
	"database/sql"
	"fmt"
)

// HostStatus is the account of a host: what its producers numbered, and what became of it. Numbered is the sum of
// Stored, Quarantined and Missing; Duplicates came besides.
type HostStatus struct {
	Host        string  `json:"host"`
	Numbered    int64   `json:"numbered"` // items, up to the newest that came
	Stored      int64   `json:"stored"`
	Quarantined int64   `json:"quarantined"`
	Missing     int64   `json:"missing"`
	Duplicates  int64   `json:"duplicates"`
	LastTime    float64 `json:"last_time"` // wall time of the newest message, Unix seconds
	Snapshots   int64   `json:"snapshots"` // kept at full resolution
}

// Hosts returns the account of every host that was recorded.
func (d *DB) Hosts(ctx context.Context) ([]HostStatus, error) {
	hosts, err := collect(ctx, d, `SELECT h.name, coalesce(sum(p.next_seq - 1), 0), coalesce(sum(p.stored), 0),
		coalesce(sum(p.quarantined), 0), coalesce(sum(p.missing), 0), coalesce(sum(p.duplicates), 0),
		coalesce(max(p.last_ns), 0) / 1e9, (SELECT count(*) FROM snapshots s WHERE s.host_id = h.id)
		FROM hosts h LEFT JOIN producers p ON p.host_id = h.id GROUP BY h.id ORDER BY h.name`, nil,
		func(r *sql.Rows, h *HostStatus) error {
			return r.Scan(&h.Host, &h.Numbered, &h.Stored, &h.Quarantined, &h.Missing, &h.Duplicates, &h.LastTime, &h.Snapshots)
		})
	if err != nil {
		return nil, fmt.Errorf("read the hosts: %w", err)
	}
	return hosts, nil
}

// Checkpoint is how far a stream has been folded into the database.
type Checkpoint struct {
	Stream string  `json:"stream"`
	Epoch  int64   `json:"epoch"`
	Seq    int64   `json:"seq"`
	Time   float64 `json:"message_time"` // when the server stored that message, Unix seconds
}

// Checkpoints returns how far the database is in each stream.
func (d *DB) Checkpoints(ctx context.Context) ([]Checkpoint, error) {
	cps, err := collect(ctx, d, `SELECT stream, epoch, seq, message_time/1e9 FROM checkpoints ORDER BY stream`, nil,
		func(r *sql.Rows, c *Checkpoint) error { return r.Scan(&c.Stream, &c.Epoch, &c.Seq, &c.Time) })
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	return cps, nil
}
