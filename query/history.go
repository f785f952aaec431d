package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Moment is one process in one snapshot of its history.
type Moment struct {
	Timestamp float64 `json:"timestamp"` // of the snapshot, Unix seconds
	Host      string  `json:"host"`
	BootID    string  `json:"boot_id"`
	Process
}

// History returns what was recorded of a pid since a time, oldest first. A pid that was reused is more than one
// process: they come in the order of time, and StartTicks, BootID and Host tell them apart.
func (d *DB) History(ctx context.Context, pid int64, r Range) ([]Moment, error) {
	query, args := `SELECT `+processColumns+`, sn.timestamp, h.name, p.boot_id FROM processes p
		JOIN snapshots sn ON sn.host_id = p.host_id AND sn.id BETWEEN p.first_snapshot AND p.last_snapshot
		JOIN samples m ON m.snapshot_id = sn.id AND m.process_id = p.id
		JOIN hosts h ON h.id = p.host_id
		WHERE p.pid = ? AND sn.timestamp >= ?`, []any{pid, r.Since}
	if r.Until > 0 {
		query, args = query+` AND sn.timestamp < ?`, append(args, r.Until)
	}
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	if r.Newest {
		query += ` ORDER BY sn.timestamp DESC, sn.id DESC`
	} else {
		query += ` ORDER BY sn.timestamp, sn.id`
	}
	if r.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, r.Limit)
	}
	moments, err := collect(ctx, d, query, args, func(rows *sql.Rows, m *Moment) error {
		return scanProcessAnd(rows, &m.Process, &m.Timestamp, &m.Host, &m.BootID)
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", pid, err)
	}
	if r.Newest {
		slices.Reverse(moments)
	}
	return moments, nil
}
