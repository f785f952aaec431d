package query

import (
	"cmp"
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

// ExtremesOf returns the extremes of what [HistorySeq] yields. Where there are snapshots alone, it reads few samples.
func ExtremesOf(ctx context.Context, db *DB, of Identity, r Range) (*Extremes, error) {
	e, err := readExtremes(ctx, db, of, r)
	if err != nil {
		return nil, fmt.Errorf("read the history of process %d: %w", of.PID, err)
	}
	return e, nil
}

func readExtremes(ctx context.Context, db *DB, of Identity, r Range) (*Extremes, error) {
	one := r
	one.Limit, one.Newest = 1, false
	minutes, err := rollupHistory(ctx, db, of, one)
	if err != nil {
		return nil, err
	}
	if len(minutes) > 0 {
		return extremesOfAll(ctx, db, of, r)
	}
	spans, err := readProcessSpans(ctx, db, of, Range{Host: cmp.Or(of.Host, r.Host)})
	if err != nil {
		return nil, err
	}
	count, at, err := largestSample(ctx, db, spans, r)
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
		points, err := historyOfSpans(ctx, db, spans, nil, read.r)
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
func largestSample(ctx context.Context, db *DB, spans []processSpan, r Range) (count int, at float64, err error) {
	until, most := 9e99, int64(-1)
	if r.Until > 0 {
		until = r.Until
	}
	for i := range spans {
		largest, n, err := largestOf(ctx, db, &spans[i], r.Since, until)
		if err != nil {
			return 0, 0, err
		}
		if count += n; n > 0 && (largest.rss > most || largest.rss == most && largest.at < at) {
			most, at = largest.rss, largest.at
		}
	}
	return count, at, nil
}

// peak is a sample of the most resident memory, in KiB.
type peak struct {
	rss int64
	at  float64
}

// largestOf counts the samples of a description of a process in a range, and finds the first of the most memory.
func largestOf(ctx context.Context, db *DB, s *processSpan, since, until float64) (p peak, n int, err error) {
	args := []any{s.description.PID, s.id, s.hostID, s.first, s.last, since, until}
	if db.goesOn {
		noted, err := collect(ctx, db, notedPeak, args, func(r *sql.Rows, p *peak) error { return r.Scan(&p.rss, &p.at) })
		if err != nil {
			return p, 0, err
		}
		if len(noted) > 0 {
			err = db.db.QueryRowContext(ctx, countSamples, args...).Scan(&n)
			return noted[0], n, err
		}
	}
	var rss sql.Null[int64]
	var at sql.Null[float64]
	// Of an aggregate with one max, SQLite takes the other columns from the row that has it.
	err = db.db.QueryRowContext(ctx, `SELECT count(*), t.timestamp, max(coalesce(m.rss_kib, 0)) FROM `+samplesOfSpan, args...).Scan(&n, &at, &rss)
	return peak{rss.V, at.V}, n, err
}

const (
	samplesOfSpan = `snapshots t CROSS JOIN samples m ON m.id = (t.id << 22) | ?1 AND m.process_id = ?2
		WHERE t.host_id = ?3 AND t.id BETWEEN ?4 AND ?5 AND +t.timestamp >= ?6 AND +t.timestamp < ?7`
	// notedPeak is the first sample of the most memory of all of a description, when the range has it.
	notedPeak = `SELECT m.rss_kib, t.timestamp FROM processes p JOIN snapshots t ON t.id = p.peak_snapshot JOIN samples m ON m.id = (t.id << 22) | ?1 AND m.process_id = ?2
		WHERE p.id = ?2 AND t.host_id = ?3 AND t.id BETWEEN ?4 AND ?5 AND t.timestamp >= ?6 AND t.timestamp < ?7 AND m.rss_kib = p.peak_rss_kib AND m.rss_kib > 0`
	// countSamples counts samples by snapshots: a snapshot that goes on from the one before has a sample of each description whose span it is in. The others are looked into.
	countSamples = `SELECT (SELECT count(*) FROM snapshots t WHERE t.host_id = ?3 AND t.timestamp >= ?6 AND t.timestamp < ?7 AND t.id BETWEEN ?4 AND ?5) -
		(SELECT count(*) FROM snapshots t WHERE t.goes_on IS NULL AND t.host_id = ?3 AND t.timestamp >= ?6 AND t.timestamp < ?7 AND t.id BETWEEN ?4 AND ?5) +
		(SELECT count(*) FROM snapshots t CROSS JOIN samples m ON m.id = (t.id << 22) | ?1 AND m.process_id = ?2 WHERE t.goes_on IS NULL AND t.host_id = ?3 AND t.timestamp >= ?6 AND t.timestamp < ?7 AND +t.id BETWEEN ?4 AND ?5)`
)
