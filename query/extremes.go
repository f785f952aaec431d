package query

import (
	"context"
	"database/sql"
	"fmt"
	"math"
)

// Extremes are the few samples of a process that its story needs, of however many there are.
type Extremes struct {
	Count       int           // of all samples
	First, Last *HistoryPoint // nil when there is none
	Largest     *HistoryPoint // of the most resident memory, the first of several
}

// ExtremesOf returns the extremes of what [HistorySeq] yields. Where there are snapshots alone, it reads of all samples but the memory.
func ExtremesOf(ctx context.Context, db *DB, of Identity, r Range) (*Extremes, error) {
	one := r
	one.Limit, one.Newest = 1, false
	minutes, err := rollupHistory(ctx, db, of, one)
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", of.PID, err)
	}
	if len(minutes) > 0 {
		return extremesOfAll(ctx, db, of, r)
	}
	count, at, err := largestSample(ctx, db, of, r)
	if err != nil || count == 0 {
		return &Extremes{}, err
	}
	e := &Extremes{Count: count}
	last, largest := one, one
	last.Newest = true
	largest.Since, largest.Until = at, math.Nextafter(at, math.Inf(1))
	for _, read := range []struct {
		r  Range
		to **HistoryPoint
	}{{one, &e.First}, {last, &e.Last}, {largest, &e.Largest}} {
		points, err := HistoryOf(ctx, db, of, read.r)
		if err != nil {
			return nil, err
		}
		if len(points) > 0 {
			*read.to = &points[0]
		}
	}
	return e, nil
}

// extremesOfAll reads all samples and minutes.
func extremesOfAll(ctx context.Context, db *DB, of Identity, r Range) (*Extremes, error) {
	e := &Extremes{}
	for p, err := range HistorySeq(ctx, db, of, r) {
		if err != nil {
			return nil, err
		}
		e.Count++
		e.Last = &p
		if e.First == nil {
			e.First = &p
		}
		if e.Largest == nil || p.RSS > e.Largest.RSS {
			e.Largest = &p
		}
	}
	return e, nil
}

// largestSample counts the samples of a process, and finds when it had the most memory.
func largestSample(ctx context.Context, db *DB, of Identity, r Range) (count int, at float64, err error) {
	if of.Host != "" {
		r.Host = of.Host
	}
	spans, err := readProcessSpans(ctx, db, of, r)
	if err != nil {
		return 0, 0, fmt.Errorf("read the history of process %d: %w", of.PID, err)
	}
	until, most := 9e99, int64(-1)
	if r.Until > 0 {
		until = r.Until
	}
	for i := range spans {
		s := &spans[i]
		var n int
		var when sql.Null[float64]
		var rss sql.Null[int64]
		// Of an aggregate with one max, SQLite takes the other columns from the row that has it.
		err := db.db.QueryRowContext(ctx, `SELECT count(*), t.timestamp, max(coalesce(m.rss_kib, 0)) FROM snapshots t CROSS JOIN samples m ON m.id = (t.id << 22) | ? AND m.process_id = ?
			WHERE t.host_id = ? AND t.id BETWEEN ? AND ? AND +t.timestamp >= ? AND +t.timestamp < ?`,
			s.description.PID, s.id, s.hostID, s.first, s.last, r.Since, until).Scan(&n, &when, &rss)
		if err != nil {
			return 0, 0, fmt.Errorf("read the history of process %d: %w", of.PID, err)
		}
		if count += n; rss.Valid && (rss.V > most || rss.V == most && when.V < at) {
			most, at = rss.V, when.V
		}
	}
	return count, at, nil
}
