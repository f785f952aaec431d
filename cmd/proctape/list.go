package main

import (
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// placed is an item of a listing that says where it stands.
type placed interface{ Cursor() query.Cursor }

// list prints a listing as it is read, within the limit, and says when there is more, and what of its time is not known. None is what it says when
// there is nothing, and of are the kinds of data that it is made of.
func list[T placed](cmd *cobra.Command, db *query.DB, l *listing, r query.Range, items func(query.Range) iter.Seq2[T, error], to sink[T], columns []column[T], none string, of ...query.Data) error {
	if r.Limit = l.limit; r.Limit == 0 {
		db.LimitCache(pagesListed)
	}
	first, last, n, err := addAll(l, items(r), to, columns)
	if err != nil || n == 0 && none == "" {
		return err
	}
	cut := l.limit > 0 && n > 0 && (n >= l.limit || l.joins)
	covers, err := l.coverageOf(cmd, db, r, first.Time(), last.Time(), cut)
	if err != nil {
		return err
	}
	if n == 0 && none != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s\n", none)
	}
	tellCoverage(cmd, &to, covers, of...)
	if n == 0 && !l.csv && !l.json {
		return nil
	}
	if err := to.flush(); err != nil || !cut {
		return err
	}
	return noteMore(cmd, l, r, items, first, last)
}

// pagesListed are the bytes of pages of the database that a connection keeps for a listing of all, which reads each page once.
const pagesListed = 1 << 20

// addAll gives the items of a listing to a sink, sorted where the flags say so. It returns the places of the first and the last, and how many there are.
func addAll[T placed](l *listing, items iter.Seq2[T, error], to sink[T], columns []column[T]) (first, last query.Cursor, n int, err error) {
	var held []T // to be sorted
	for item, err := range items {
		if err != nil {
			return first, last, n, err
		}
		if n++; n == 1 {
			first = item.Cursor()
		}
		last = item.Cursor()
		if l.sort != "" {
			held = append(held, item)
			continue
		}
		if err := to.add(&item); err != nil {
			return first, last, n, err
		}
	}
	if l.sort == "" {
		return first, last, n, nil
	}
	if err := sorted(&l.view, held, columns); err != nil {
		return first, last, n, err
	}
	for i := range held {
		if err := to.add(&held[i]); err != nil {
			return first, last, n, err
		}
	}
	return first, last, n, nil
}

// noteMore says that there is more than the limit, when there is.
func noteMore[T placed](cmd *cobra.Command, l *listing, r query.Range, items func(query.Range) iter.Seq2[T, error], first, last query.Cursor) error {
	note := "these are the oldest %d; there are newer ones (--limit, --newest)"
	r.Limit, r.After = 1, last
	if r.Newest || r.Reverse {
		note = "these are the newest %d; there are older ones (--limit, --since)"
		if !r.Reverse {
			r.After = first
		}
		r.Newest, r.Reverse = false, true
	}
	for _, err := range items(r) {
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: "+note+"\n", l.limit)
	}
	return nil
}
