package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
)

// quiet is for how many seconds nothing may come of a host before that means something: three periods, and the time that a message may
// be on its way.
func (e *evidence) quiet() float64 { return 3*e.period + 2 }

const (
	snapshotRowColumns = `t.id, t.host_id, t.timestamp, t.interval_ns / 1e9, t.instance, t.capabilities, t.partial, coalesce(t.child_count, 0), t.hidden_count`
	snapshotRows       = `SELECT ` + snapshotRowColumns + ` FROM snapshots t`
)

// snapshotRow is a row of snapshotRows.
type snapshotRow struct {
	id, host, seen, hidden int64
	at, period             float64
	partial                bool
	instance, capabilities sql.RawBytes // until the next row
	joins                  bool         // those between it and the one before were passed over, and there is no hole
}

// scan scans snapshotRowColumns, and what comes after them into more.
func (s *snapshotRow) scan(rows *sql.Rows, more ...any) error {
	return rows.Scan(append([]any{&s.id, &s.host, &s.at, &s.period, &s.instance, &s.capabilities, &s.partial, &s.seen, &s.hidden}, more...)...)
}

// snapshotReader makes evidence of a host's snapshots, which come by time.
type snapshotReader struct {
	*evidence
	last                   float64 // the time of the one before
	instance, capabilities string  // of the one before
	partial                bool
	view                   *sampled
	views                  map[string]*sampled // by what their snapshots have in common
}

// sampled is a view, and its newest snapshot.
type sampled struct {
	viewed
	snapshot int64
}

func newSnapshotReader(e *evidence) *snapshotReader {
	return &snapshotReader{evidence: e, last: math.Inf(-1), views: map[string]*sampled{}}
}

// add takes a snapshot in. It tells of the time since the one before it, or of one period when that is longer ago.
func (r *snapshotReader) add(s *snapshotRow) error {
	from := s.at - s.period
	if s.joins || schema.InTime(r.last, s.at, s.period) {
		from = min(from, r.last)
	}
	if n := len(r.taken); n > 0 && from <= r.taken[n-1].to {
		r.taken[n-1].to = max(r.taken[n-1].to, s.at)
	} else {
		r.taken = append(r.taken, stretch{from, s.at})
	}
	r.last, r.period = s.at, max(r.period, s.period)
	return r.addView(s)
}

// addView notes what the snapshot's sampler saw.
func (r *snapshotReader) addView(s *snapshotRow) error {
	if r.view == nil || string(s.instance) != r.instance || string(s.capabilities) != r.capabilities || s.partial != r.partial {
		r.instance, r.capabilities, r.partial = string(s.instance), string(s.capabilities), s.partial
		key := fmt.Sprint(r.instance, r.capabilities, r.partial)
		if r.view = r.views[key]; r.view == nil {
			r.view = &sampled{viewed: viewed{from: s.at, partial: s.partial}}
			r.views[key] = r.view
			if err := json.Unmarshal(s.capabilities, &r.view.capabilities); err != nil {
				return fmt.Errorf("the capabilities of snapshot %d: %w", s.id, err)
			}
		}
	}
	r.view.seen, r.view.hidden, r.view.snapshot = s.seen, s.hidden, s.id
	return nil
}

// finish says of which time the last snapshot tells besides, and of how many processes those samplers could read the I/O that cannot
// read that of all.
func (r *snapshotReader) finish(ctx context.Context, db *DB) error {
	if n := len(r.taken); n > 0 && r.last >= r.newest {
		r.taken[n-1].to += r.quiet()
	} else if n > 0 {
		r.taken[n-1].to += r.period
	}
	for _, v := range r.views {
		if len(v.capabilities) > 0 && !slices.Contains(v.capabilities, schema.CapIO) {
			first, last := schema.SampleIDs(v.snapshot)
			err := db.db.QueryRowContext(ctx, `SELECT count(read_kib), count(*) FROM samples WHERE id BETWEEN ? AND ?`, first, last).Scan(&v.ioSeen, &v.ioOf)
			if err != nil {
				return err
			}
		}
		r.evidence.views = append(r.evidence.views, v.viewed)
	}
	return nil
}
