package main

import (
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// placed is an item of a listing that says where it stands.
type placed interface{ Cursor() query.Cursor }

// list prints a listing as it is read, within the limit, and says when there is more. None is what it says when there is nothing.
func list[T placed](cmd *cobra.Command, l *listing, r query.Range, items func(query.Range) iter.Seq2[T, error], to sink[T], columns []column[T], none string) error {
	r.Limit = l.limit
	var first, last query.Cursor
	var n int
	var held []T // to be sorted
	for item, err := range items(r) {
		if err != nil {
			return err
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
			return err
		}
	}
	if l.sort != "" {
		if err := sorted(&l.view, held, columns); err != nil {
			return err
		}
		for i := range held {
			if err := to.add(&held[i]); err != nil {
				return err
			}
		}
	}
	if n == 0 && none != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s\n", none)
		if !l.csv {
			return nil
		}
	}
	if err := to.flush(); err != nil || l.limit == 0 || n < l.limit && !l.joins || n == 0 {
		return err
	}
	return noteMore(cmd, l, r, items, first, last)
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
