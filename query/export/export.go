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

// Write gives the writer what a question asks for, from a place on. After each row of the events, execs and snapshots it calls at with the place and the time of the
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

// merge writes events, execs and snapshots in the order of time; at one time in this order.
func merge(ctx context.Context, db *query.DB, q Question, from Place, w Writer, at func(Place, float64) error) error {
	events := pull(q, Events, &from.Events, w.Event, func(e *query.Event) float64 { return e.Timestamp }, func(f query.Filter) iter.Seq2[query.Event, error] {
		if q.Causes {
			return query.WithCauses(query.EventSeq(ctx, db, f))
		}
		return query.EventSeq(ctx, db, f)
	})
	defer events.stop()
	execs := pull(q, Execs, &from.Execs, w.Exec, func(e *query.Exec) float64 { return e.Timestamp }, func(f query.Filter) iter.Seq2[query.Exec, error] { return query.ExecSeq(ctx, db, f) })
	defer execs.stop()
	snapshots := pull(q, Samples, &from.Samples, w.Snapshot, func(s *query.Snapshot) float64 { return s.Timestamp }, func(f query.Filter) iter.Seq2[query.Snapshot, error] { return query.SnapshotSeq(ctx, db, f) })
	defer snapshots.stop()
	all := []source{events, execs, snapshots}
	for {
		var next source
		var first float64
		for _, s := range all {
			time, there, err := s.head()
			if err != nil {
				return err
			}
			if there && (next == nil || time < first) {
				next, first = s, time
			}
		}
		if next == nil {
			return nil
		}
		if err := next.write(); err != nil {
			return err
		}
		if err := at(from, first); err != nil {
			return err
		}
	}
}

// source is what rows of one kind come from.
type source interface {
	head() (time float64, there bool, err error) // of the row that is next
	write() error                                // gives it to the writer, and goes on to the next
}

// stream is a listing of which the first item that was not taken is known.
type stream[T interface{ Cursor() query.Cursor }] struct {
	what  string
	next  func() (T, error, bool)
	stop  func()
	time  func(*T) float64
	give  func(*T) error
	place *query.Cursor // of the item that was written last
	item  T
	err   error
	there bool
}

// pull begins a listing behind a place, which it keeps up. One that is not wanted has no items.
func pull[T interface{ Cursor() query.Cursor }](q Question, what string, place *query.Cursor, give func(*T) error, time func(*T) float64, listing func(query.Filter) iter.Seq2[T, error]) *stream[T] {
	s := &stream[T]{what: what, stop: func() {}, time: time, give: give, place: place}
	if !slices.Contains(q.What, what) {
		return s
	}
	f := q.Filter
	f.Limit, f.Newest, f.Reverse, f.After = 0, false, false, *place
	s.next, s.stop = iter.Pull2(listing(f))
	s.item, s.err, s.there = s.next()
	return s
}

func (s *stream[T]) head() (time float64, there bool, err error) {
	if s.err != nil {
		return 0, false, fmt.Errorf("export %s: %w", s.what, s.err)
	}
	return s.time(&s.item), s.there, nil
}

func (s *stream[T]) write() error {
	*s.place = s.item.Cursor()
	err := s.give(&s.item)
	s.item, s.err, s.there = s.next()
	return err
}
