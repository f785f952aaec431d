// Package export writes a range of the recording in forms that other programs read: a database goes in, and rows come out
// in the order of time, page by page, so that memory does not grow with the range.
//
// [Write] reads; a [Writer] makes lines, columns or packets of what it is given. There is one writer for each format.
package export

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/proctape/proctape/query"
)

// Write gives the writer what a question asks for, from a place on. After each row of the events and snapshots it calls at with the place and the time of the
// row, in Unix seconds, and stops with the error that at returns. It returns how much is known of the range.
func Write(ctx context.Context, db *query.DB, q Question, from Place, w Writer, at func(Place, float64) error) ([]query.Coverage, error) {
	covers, err := query.HostCoverage(ctx, db, query.Range{Since: q.Since, Until: q.Until, Host: q.Host})
	if err != nil {
		return nil, err
	}
	if err := w.Begin(&Head{Question: q, Coverage: covers, Resumed: from != Place{}}); err != nil {
		return covers, err
	}
	if !from.Heads {
		if err := writeHeads(ctx, db, q, w); err != nil {
			return covers, err
		}
		from.Heads = true
		if err := at(from, q.Since); err != nil {
			return covers, err
		}
	}
	if err := merge(ctx, db, q, from, w, at); err != nil {
		return covers, err
	}
	return covers, w.End()
}

// writeHeads writes gaps and runs.
func writeHeads(ctx context.Context, db *query.DB, q Question, w Writer) error {
	if slices.Contains(q.What, Gaps) {
		gaps, err := readGaps(ctx, db, q)
		if err != nil {
			return err
		}
		for i := range gaps {
			if err := w.Gap(&gaps[i]); err != nil {
				return err
			}
		}
	}
	if !slices.Contains(q.What, Runs) {
		return nil
	}
	runs, err := readRuns(ctx, db, q)
	if err != nil {
		return err
	}
	for i := range runs {
		if err := w.Run(&runs[i]); err != nil {
			return err
		}
	}
	return nil
}

// merge writes events and snapshots in the order of time. At one time an event comes first.
func merge(ctx context.Context, db *query.DB, q Question, from Place, w Writer, at func(Place, float64) error) error {
	events := pull(q.Filter, from.Events, slices.Contains(q.What, Events), func(f query.Filter) iter.Seq2[query.Event, error] {
		if q.Causes {
			return query.WithCauses(query.EventSeq(ctx, db, f))
		}
		return query.EventSeq(ctx, db, f)
	})
	defer events.stop()
	snapshots := pull(q.Filter, from.Samples, slices.Contains(q.What, Samples), func(f query.Filter) iter.Seq2[query.Snapshot, error] { return query.SnapshotSeq(ctx, db, f) })
	defer snapshots.stop()
	for {
		if events.err != nil {
			return fmt.Errorf("export events: %w", events.err)
		}
		if snapshots.err != nil {
			return fmt.Errorf("export samples: %w", snapshots.err)
		}
		var time float64
		var err error
		switch {
		case events.there && (!snapshots.there || events.item.Timestamp <= snapshots.item.Timestamp):
			time, from.Events = events.item.Timestamp, events.item.Cursor()
			err = w.Event(&events.item)
			events.advance()
		case snapshots.there:
			time, from.Samples = snapshots.item.Timestamp, snapshots.item.Cursor()
			err = w.Snapshot(&snapshots.item)
			snapshots.advance()
		default:
			return nil
		}
		if err != nil {
			return err
		}
		if err := at(from, time); err != nil {
			return err
		}
	}
}

// stream is a listing of which the first item that was not taken is known.
type stream[T any] struct {
	next  func() (T, error, bool)
	stop  func()
	item  T
	err   error
	there bool
}

// pull begins a listing behind a cursor. One that is not wanted has no items.
func pull[T any](f query.Filter, after query.Cursor, wanted bool, listing func(query.Filter) iter.Seq2[T, error]) *stream[T] {
	f.Limit, f.Newest, f.Reverse, f.After = 0, false, false, after
	s := new(stream[T])
	if !wanted {
		s.stop = func() {}
		return s
	}
	s.next, s.stop = iter.Pull2(listing(f))
	s.advance()
	return s
}

// advance takes the item away, and reads the next.
func (s *stream[T]) advance() { s.item, s.err, s.there = s.next() }
