package query

import (
	"cmp"
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
	// Resolution is 60 for a minute that has left full resolution, and 0 for one look.
	Resolution float64 `json:"resolution_seconds,omitzero"`
	Process
	snapshotID int64
}

// History returns what was recorded of a pid since a time, oldest first. A pid that was reused is more than one
// process: they come in the order of time, and StartTicks, BootID and Host tell them apart.
func (d *DB) History(ctx context.Context, pid int64, r Range) ([]Moment, error) {
	moments := []Moment{}
	spans, err := d.spans(ctx, pid, r)
	for i := range spans {
		if err == nil {
			err = d.addMoments(ctx, &spans[i], r, &moments)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", pid, err)
	}
	minutes, err := d.rollupHistory(ctx, pid, r)
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", pid, err)
	}
	return merged(moments, minutes, r, func(a, b Moment) int {
		return cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.snapshotID, b.snapshotID))
	}), nil
}

// span is a row of processes: a process as it was described from one snapshot to another.
type span struct {
	id, hostID, first, last int64
	common                  Moment
}

// spans returns the rows of a pid of which a range may hold samples.
func (d *DB) spans(ctx context.Context, pid int64, r Range) ([]span, error) {
	query := `SELECT ` + processColumns + `, p.host_id, p.first_snapshot, p.last_snapshot, h.name, p.boot_id
		FROM processes p JOIN hosts h ON h.id = p.host_id WHERE p.pid = ?`
	args := []any{pid}
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	spans, err := collect(ctx, d, query, args, func(rows *sql.Rows, s *span) error {
		return scanProcess(rows, &s.id, &s.common.Process, &s.hostID, &s.first, &s.last, &s.common.Host, &s.common.BootID)
	})
	if err != nil || len(spans) == 0 || r.Since <= 0 && r.Until <= 0 {
		return spans, err
	}
	// The snapshots of the range, by id: those of a few hosts come late, so that ids do not quite rise with time.
	var first, last sql.Null[int64]
	query, args = `SELECT min(+id), max(+id) FROM snapshots WHERE timestamp >= ?`, []any{r.Since}
	if r.Until > 0 {
		query, args = query+` AND timestamp < ?`, append(args, r.Until)
	}
	if err := d.db.QueryRowContext(ctx, query, args...).Scan(&first, &last); err != nil {
		return nil, err
	}
	for i := range spans {
		s := &spans[i]
		s.first, s.last = max(s.first, first.V), min(s.last, last.V)
	}
	return slices.DeleteFunc(spans, func(s span) bool { return s.first > s.last || !first.Valid }), nil
}

// addMoments reads the samples of a row of processes. The first or last few of a long one are found by time, where
// the read can stop when it has them; all of it, or a short one, by the host's snapshots, which reads no others.
func (d *DB) addMoments(ctx context.Context, s *span, r Range, moments *[]Moment) error {
	byTime := r.Limit > 0 && s.last-s.first > 10*int64(r.Limit)
	where, at := ` WHERE sn.host_id = ? AND sn.id BETWEEN ? AND ?`, `+sn.timestamp` // a plus keeps from an index
	if byTime {
		where, at = ` WHERE +sn.host_id = ? AND +sn.id BETWEEN ? AND ?`, `sn.timestamp`
	}
	query := `SELECT sn.id, sn.timestamp, sn.boot_ns, ` + sampleColumns + ` FROM snapshots sn
		CROSS JOIN samples m ON m.snapshot_id = sn.id AND m.process_id = ?` + where + ` AND ` + at + ` >= ?`
	args := []any{s.id, s.hostID, s.first, s.last, r.Since}
	if r.Until > 0 {
		query, args = query+` AND `+at+` < ?`, append(args, r.Until)
	}
	switch {
	case byTime && r.Newest:
		query, args = query+` ORDER BY sn.timestamp DESC, sn.id DESC LIMIT ?`, append(args, r.Limit)
	case byTime:
		query, args = query+` ORDER BY sn.timestamp, sn.id LIMIT ?`, append(args, r.Limit)
	}
	m := s.common
	var boot int64
	scanner := newSampleScanner(&m.snapshotID, &m.Timestamp, &boot)
	return d.each(ctx, query, args, func(rows *sql.Rows) error {
		m.Unknown = nil
		if err := scanner.scan(rows, &m.Process); err != nil {
			return err
		}
		m.describe(&s.common.Process, boot)
		*moments = append(*moments, m)
		return nil
	})
}
