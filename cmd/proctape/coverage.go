package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// noteIncomplete says on stderr, in one line, what of the data that an answer is made of is not known; nothing when all is.
func noteIncomplete(cmd *cobra.Command, covers []query.Coverage, of ...query.Data) {
	if line := query.Incomplete(covers, of...); line != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: "+line)
	}
}

// tellCoverage says how much an answer knows: in the last line of JSON, otherwise on stderr.
func tellCoverage[T any](cmd *cobra.Command, to *sink[T], covers []query.Coverage, of ...query.Data) {
	if to.covered != nil {
		to.covered(covers)
		return
	}
	noteIncomplete(cmd, covers, of...)
}

// coverageOf is how much is known of the time that a listing is about: of what its flags ask for, as far as the items from first to
// last reach where the limit cut it. Without items and without --since it is the last hour.
func (l *listing) coverageOf(cmd *cobra.Command, db *query.DB, r query.Range, first, last float64, cut bool) ([]query.Coverage, error) {
	now := timestamp(time.Now())
	if r.Until == 0 || r.Until > now {
		r.Until = now
	}
	first, last = min(first, last), max(first, last)
	downward := r.Newest || r.Reverse
	switch {
	case first > 0 && (cut && downward || r.Since == 0):
		r.Since = first
	case r.Since == 0:
		r.Since = r.Until - 3600
	}
	if last > 0 && cut && !downward {
		r.Until = last
	}
	covers, err := query.HostCoverage(cmd.Context(), db, r)
	if len(l.hosts) > 0 {
		covers = slices.DeleteFunc(covers, func(c query.Coverage) bool { return !l.hosts[c.Host] })
	}
	return covers, err
}

// printCovered writes objects as JSON lines with how much they know.
func printCovered[T any](out io.Writer, items []T, covers []query.Coverage) error {
	to := jsonSink[T](out)
	to.covered(covers)
	for i := range items {
		if err := to.add(&items[i]); err != nil {
			return err
		}
	}
	return to.flush()
}
