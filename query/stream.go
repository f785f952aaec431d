package query

import (
	"context"
	"iter"
	"slices"
)

// How many items a page has: few at first, so that the first item comes at once, then more, so that pages are few.
const (
	firstPage = 32
	mostPage  = 2048
)

// listing is how the items of a range are read.
type listing[T any] struct {
	// read returns a page in the range's order; fewer items than the range's Limit when there are no more.
	read     func(context.Context, *DB, Range) ([]T, error)
	position func(*T) position
	first    int // items of the first page, and of the largest; 0 for firstPage and mostPage
	most     int
}

// items yields the items of a range, in its order. It reads them page by page, each with short statements of its own, so whoever
// reads slowly holds no transaction, and no more than a page is in memory. What is recorded meanwhile is in it as far as its
// time is still to come.
func (l listing[T]) items(ctx context.Context, db *DB, r Range) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := CheckCursor(string(r.After)); err != nil {
			yield(*new(T), err)
			return
		}
		if r.Newest && !r.Reverse && r.Limit > 0 {
			if r.Limit <= mostPage {
				page, err := l.read(ctx, db, r)
				yieldAll(page, err, yield)
				return
			}
			start, err := l.start(ctx, db, r)
			if err != nil {
				yield(*new(T), err)
				return
			}
			r.After, r.Newest = start, false
		}
		r.Newest = false
		l.walk(ctx, db, r, yield)
	}
}

// walk yields the items of a range that is read from its beginning on.
func (l listing[T]) walk(ctx context.Context, db *DB, r Range, yield func(T, error) bool) {
	remaining, limited := r.Limit, r.Limit > 0
	size, most := l.first, l.most
	if size == 0 {
		size, most = firstPage, mostPage
	}
	for ; ; size = min(2*size, most) {
		r.Limit = size
		if limited {
			r.Limit = min(size, remaining)
		}
		page, err := l.read(ctx, db, r)
		if !yieldAll(page, err, yield) {
			return
		}
		remaining -= len(page)
		if len(page) < r.Limit || limited && remaining <= 0 {
			return
		}
		r.After = l.position(&page[len(page)-1]).cursor()
	}
}

// start is the place behind which the last Limit items of a range come; empty when there are no more than these.
func (l listing[T]) start(ctx context.Context, db *DB, r Range) (Cursor, error) {
	back := r
	back.Reverse, back.Limit = true, r.Limit+1
	var n int
	var last Cursor
	var failed error
	l.walk(ctx, db, back, func(item T, err error) bool {
		n++
		last, failed = l.position(&item).cursor(), err
		return err == nil
	})
	if failed != nil || n <= r.Limit {
		return "", failed
	}
	return last, nil
}

// yieldAll yields the items of a page, or the error with which it could not be read, and reports whether to go on.
func yieldAll[T any](page []T, err error, yield func(T, error) bool) bool {
	if err != nil {
		yield(*new(T), err)
		return false
	}
	for _, item := range page {
		if !yield(item, nil) {
			return false
		}
	}
	return true
}

// Page is a part of a listing, and how to go on.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  Cursor `json:"next,omitempty"` // for [Range.After]; empty when there is no more
}

// PageOf takes the first most items of a listing, for answers that come in parts. The listing should have no Limit, or a higher one.
func PageOf[T interface{ Cursor() Cursor }](items iter.Seq2[T, error], most int) (Page[T], error) {
	p := Page[T]{Items: []T{}}
	for item, err := range items {
		if err != nil {
			return Page[T]{}, err
		}
		if len(p.Items) == most {
			p.Next = p.Items[most-1].Cursor()
			break
		}
		p.Items = append(p.Items, item)
	}
	return p, nil
}

// All reads all of a listing into memory.
func All[T any](items iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return slices.Clip(all), nil
}
