package query

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// History returns what was recorded of a pid in a range, oldest first; nothing when the pid was never seen. A pid that was
// reused is more than one process: StartTicks, BootID and Host tell them apart.
func History(ctx context.Context, db *DB, pid int64, r Range) ([]HistoryPoint, error) {
	points := []HistoryPoint{}
	processSpans, err := readProcessSpans(ctx, db, pid, r)
	for i := range processSpans {
		if err == nil {
			err = addHistoryPoints(ctx, db, &processSpans[i], r, &points)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", pid, err)
	}
	minutes, err := rollupHistory(ctx, db, pid, r)
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", pid, err)
	}
	return merged(points, minutes, r, func(a, b HistoryPoint) int {
		return cmp.Or(cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.snapshotID, b.snapshotID))
	}), nil
}

// processSpan is a row of processes: a process with one description, from one snapshot to another.
type processSpan struct {
	id, hostID, first, last int64
	description             HistoryPoint
}

// readProcessSpans returns the rows of a pid that may have samples in a range.
func readProcessSpans(ctx context.Context, db *DB, pid int64, r Range) ([]processSpan, error) {
	query := `SELECT ` + processColumns + `, p.host_id, p.first_snapshot, p.last_snapshot, h.name, p.boot_id
		FROM processes p JOIN hosts h ON h.id = p.host_id WHERE p.pid = ?`
	args := []any{pid}
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	processSpans, err := collect(ctx, db, query, args, func(rows *sql.Rows, s *processSpan) error {
		return scanProcess(rows, &s.id, &s.description.Process, &s.hostID, &s.first, &s.last, &s.description.Host, &s.description.BootID)
	})
	if err != nil || len(processSpans) == 0 || r.Since <= 0 && r.Until <= 0 {
		return processSpans, err
	}
	// The snapshots of the range, by id: those of a few hosts come late, so that ids do not quite rise with time.
	var first, last sql.Null[int64]
	query, args = `SELECT min(+id), max(+id) FROM snapshots WHERE timestamp >= ?`, []any{r.Since}
	if r.Until > 0 {
		query, args = query+` AND timestamp < ?`, append(args, r.Until)
	}
	if err := db.db.QueryRowContext(ctx, query, args...).Scan(&first, &last); err != nil {
		return nil, err
	}
	for i := range processSpans {
		s := &processSpans[i]
		s.first, s.last = max(s.first, first.V), min(s.last, last.V)
	}
	return slices.DeleteFunc(processSpans, func(s processSpan) bool { return s.first > s.last || !first.Valid }), nil
}

// addHistoryPoints reads the samples of a row of processes. It finds the first or last few of a long span by time, so that it
// can stop when it has them. It finds all of a span, or a short one, by the host's snapshots, and so reads no other host's.
func addHistoryPoints(ctx context.Context, db *DB, s *processSpan, r Range, points *[]HistoryPoint) error {
	byTime := r.Limit > 0 && s.last-s.first > 10*int64(r.Limit)
	where, at := ` WHERE sn.host_id = ? AND sn.id BETWEEN ? AND ?`, `+sn.timestamp` // a plus keeps from an index
	if byTime {
		where, at = ` WHERE +sn.host_id = ? AND +sn.id BETWEEN ? AND ?`, `sn.timestamp`
	}
	query := `SELECT sn.id, sn.timestamp, sn.boot_ns, ` + sampleColumns + ` FROM snapshots sn
		CROSS JOIN samples m ON m.id = (sn.id << 22) | ? AND m.process_id = ?` + where + ` AND ` + at + ` >= ?`
	args := []any{s.description.PID, s.id, s.hostID, s.first, s.last, r.Since}
	if r.Until > 0 {
		query, args = query+` AND `+at+` < ?`, append(args, r.Until)
	}
	switch {
	case byTime && r.Newest:
		query, args = query+` ORDER BY sn.timestamp DESC, sn.id DESC LIMIT ?`, append(args, r.Limit)
	case byTime:
		query, args = query+` ORDER BY sn.timestamp, sn.id LIMIT ?`, append(args, r.Limit)
	}
	m := s.description
	var boot int64
	scanner := newSampleScanner(&m.snapshotID, &m.Timestamp, &boot)
	return each(ctx, db.db, query, args, func(rows *sql.Rows) error {
		m.Unknown = nil
		if err := scanner.scan(rows, &m.Process); err != nil {
			return err
		}
		m.setDescription(&s.description.Process, boot)
		*points = append(*points, m)
		return nil
	})
}
