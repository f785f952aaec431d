package web

import (
	"context"
	"encoding/json"
	"iter"
	"reflect"

	"github.com/proctape/proctape/query"
)

// list is an answer with items.
type list[T any] struct {
	Items []T `json:"items"`
	// Next is given back as after, and then the items behind these come; empty when there are none.
	Next query.Cursor `json:"next,omitempty"`
	// Coverage is how much of the time that was asked about the record knows, by host.
	Coverage []query.Coverage `json:"coverage,omitempty"`
}

// item is what a listing can go on behind.
type item interface{ Cursor() query.Cursor }

// listing is an endpoint whose answer is items of a range, page by page.
func listing[T item](name, doc string, params []param, seq func(context.Context, *query.DB, query.Filter) iter.Seq2[T, error], needs ...string) endpoint {
	return listingOf(name, doc, params, func(ctx context.Context, db *query.DB, q *question) iter.Seq2[T, error] {
		return seq(ctx, db, q.Filter)
	}, needs...)
}

// listingOf is a listing that takes more than a filter.
func listingOf[T item](name, doc string, params []param, seq func(context.Context, *query.DB, *question) iter.Seq2[T, error], needs ...string) endpoint {
	answer := func(ctx context.Context, s *Server, q *question) (any, error) { return page(ctx, s, q, seq) }
	return settled(endpoint{path: apiPath + name, doc: doc, params: params, needs: needs, values: []reflect.Type{reflect.TypeFor[list[T]]()}, answer: answer})
}

// maxPage is how many bytes of items a page has at the most, one item aside: a page of ten thousand snapshots would have gigabytes. Tests set it.
var maxPage = 4 << 20

// page reads one page, and how much of its range is known. Its items are encoded as they come, so that it has no more in memory than it answers.
func page[T item](ctx context.Context, s *Server, q *question, seq func(context.Context, *query.DB, *question) iter.Seq2[T, error]) (*list[json.RawMessage], error) {
	limit, size := q.Limit, 0
	q.Limit++ // one more says whether there is a next page
	l := &list[json.RawMessage]{Items: []json.RawMessage{}}
	var last query.Cursor
	for v, err := range seq(ctx, s.cfg.DB, q) {
		if err != nil {
			return nil, err
		}
		if len(l.Items) == limit || size >= maxPage {
			l.Next = last
			break
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		size += len(text)
		last = v.Cursor()
		l.Items = append(l.Items, text)
	}
	known := q.Range
	if known.Until == 0 || known.Until > now(q) {
		known.Until = now(q)
	}
	var err error
	l.Coverage, err = query.HostCoverage(ctx, s.cfg.DB, known)
	return l, err
}

// withCoverage is an answer that was read at once, and how much of its time is known.
func withCoverage[T any](ctx context.Context, s *Server, q *question, items []T, from, to float64, err error) (*list[T], error) {
	l := &list[T]{Items: items}
	if err == nil {
		l.Coverage, err = query.HostCoverage(ctx, s.cfg.DB, query.Range{Since: from, Until: min(to, now(q)), Host: q.Host})
	}
	return l, err
}

// historySeq is the history that a question asks for.
func historySeq(ctx context.Context, db *query.DB, q *question) iter.Seq2[query.HistoryPoint, error] {
	return query.HistorySeq(ctx, db, query.Identity{Host: q.Host, BootID: q.bootID, PID: q.PID, StartTicks: q.start}, q.Range)
}
