package query

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
)

// History returns what was recorded of a pid in a range, in its order; nothing when the pid was never seen. A pid that was
// reused is more than one process: StartTicks, BootID and Host tell them apart.
func History(ctx context.Context, db *DB, pid int64, r Range) ([]HistoryPoint, error) {
	return HistoryOf(ctx, db, Identity{PID: pid}, r)
}

// HistoryOf returns the history of the processes that an identity names, as [History] does.
func HistoryOf(ctx context.Context, db *DB, of Identity, r Range) ([]HistoryPoint, error) {
	if of.Host != "" {
		r.Host = of.Host
	}
	points, err := readHistory(ctx, db, of, r)
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", of.PID, err)
	}
	return points, nil
}

// HistorySeq yields what [HistoryOf] returns, page by page: its memory does not grow with the range.
func HistorySeq(ctx context.Context, db *DB, of Identity, r Range) iter.Seq2[HistoryPoint, error] {
	return listing[HistoryPoint]{
		read:     func(ctx context.Context, db *DB, r Range) ([]HistoryPoint, error) { return HistoryOf(ctx, db, of, r) },
		position: func(m *HistoryPoint) position { return m.place },
	}.items(ctx, db, r)
}

// Cursor is the moment's place in a history.
func (m HistoryPoint) Cursor() Cursor { return m.place.cursor() }

func readHistory(ctx context.Context, db *DB, of Identity, r Range) ([]HistoryPoint, error) {
	spans, err := readProcessSpans(ctx, db, of, r)
	if err != nil {
		return nil, err
	}
	minutes, err := rollupHistory(ctx, db, of, r)
	if err != nil {
		return nil, err
	}
	return historyOfSpans(ctx, db, spans, minutes, r)
}

// historyOfSpans is the history of a process, of its rows and its minutes.
func historyOfSpans(ctx context.Context, db *DB, spans []processSpan, minutes []HistoryPoint, r Range) ([]HistoryPoint, error) {
	points := []HistoryPoint{}
	for i := range spans {
		if err := addHistoryPoints(ctx, db, &spans[i], r, &points); err != nil {
			return nil, err
		}
	}
	return merged(points, minutes, r, func(a, b HistoryPoint) int { return a.place.compare(b.place) }), nil
}

// processSpan is a row of processes: a process with one description, from one snapshot to another.
type processSpan struct {
	id, hostID, first, last int64
	description             HistoryPoint
}

// readProcessSpans returns the rows of a process that may have samples in a range.
func readProcessSpans(ctx context.Context, db *DB, of Identity, r Range) ([]processSpan, error) {
	r = r.behindCursor()
	on, args := of.conditions()
	query := `SELECT ` + processColumns + cgroupColumn + `, p.host_id, p.first_snapshot, p.last_snapshot, h.name, p.boot_id
		FROM processes p JOIN hosts h ON h.id = p.host_id WHERE ` + on
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	processSpans, err := collect(ctx, db, query, args, func(rows *sql.Rows, s *processSpan) error {
		return scanProcess(rows, &s.id, &s.description.Process, &s.description.Cgroup, &s.hostID, &s.first, &s.last, &s.description.Host, &s.description.BootID)
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
	if host := processSpans[0].hostID; db.goesOn && !slices.ContainsFunc(processSpans, func(s processSpan) bool { return s.hostID != host }) {
		query, args = query+` AND host_id = ?`, append(args, host)
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
	r = r.behindCursor()
	where, at := ` WHERE t.host_id = ? AND t.id BETWEEN ? AND ?`, `+t.timestamp` // a plus keeps from an index
	if byTime {
		where, at = ` WHERE +t.host_id = ? AND +t.id BETWEEN ? AND ?`, `t.timestamp`
	}
	query := `SELECT t.id, t.timestamp, t.boot_ns, ` + sampleColumns + ` FROM snapshots t
		CROSS JOIN samples m ON m.id = (t.id << 22) | ? AND m.process_id = ?` + where + ` AND ` + at + ` >= ?`
	args := []any{s.description.PID, s.id, s.hostID, s.first, s.last, r.Since}
	if r.Until > 0 {
		query, args = query+` AND `+at+` < ?`, append(args, r.Until)
	}
	if r.After != "" {
		condition, of := r.After.position().beyond(ofRows, r.downward())
		query, args = query+condition, append(args, of...)
	}
	switch {
	case byTime && r.downward():
		query, args = query+` ORDER BY t.timestamp DESC, t.id DESC LIMIT ?`, append(args, r.Limit)
	case byTime:
		query, args = query+` ORDER BY t.timestamp, t.id LIMIT ?`, append(args, r.Limit)
	}
	m := s.description
	var boot int64
	scanner := newSampleScanner(&m.place.id, &m.Timestamp, &boot)
	return each(ctx, db.db, query, args, func(rows *sql.Rows) error {
		m.Unknown = nil
		if err := scanner.scan(rows, &m.Process); err != nil {
			return err
		}
		m.place.at = m.Timestamp
		m.setDescription(&s.description.Process, boot)
		*points = append(*points, m)
		return nil
	})
}
