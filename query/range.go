package query

import (
	"math"
	"slices"
	"strings"
)

// Range is a span of time, and how much of it to return. The zero Range is everything, oldest first.
type Range struct {
	Since   float64 // Unix seconds, inclusive
	Until   float64 // Unix seconds, exclusive; 0 for no end
	Limit   int     // 0 for all
	Newest  bool    // return the last Limit, still oldest first; otherwise the first Limit
	Reverse bool    // return the newest first; a Limit then keeps the newest, as with Newest
	Host    string  // empty for all hosts
	// After goes on behind an item of a listing with the same filter and order, of which this is the cursor; empty to begin at
	// the beginning. It is not for use with Newest without Reverse.
	After Cursor
}

// downward reports whether a page is read from the newest on.
func (r Range) downward() bool { return r.Newest || r.Reverse }

// page completes a query over a table with the columns timestamp, id and host_id, in the alias t; more are conditions
// without parameters. Kind is which of the listings that are merged into one the table makes.
func (r Range) page(kind int64, query string, more ...string) (string, []any) {
	r = r.behindCursor()
	query += ` WHERE t.timestamp >= ?`
	args := []any{r.Since}
	if r.Until > 0 {
		query += ` AND t.timestamp < ?`
		args = append(args, r.Until)
	}
	if r.After != "" {
		condition, of := r.After.position().beyond(kind, r.downward())
		query, args = query+condition, append(args, of...)
	}
	if r.Host != "" {
		// The plus keeps to the index by time, whose order is the page's.
		query += ` AND +t.host_id = (SELECT id FROM hosts WHERE name = ?)`
		args = append(args, r.Host)
	}
	query += strings.Join(more, "")
	columns, _ := position{}.keyColumns(kind)
	order := strings.Join(columns, ", ")
	if r.downward() {
		order = strings.Join(columns, " DESC, ") + " DESC"
	}
	query += ` ORDER BY ` + order
	if r.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, r.Limit)
	}
	return query, args
}

// behindCursor is the range without the time before its cursor, whichever bound of a time SQLite then searches by.
func (r Range) behindCursor() Range {
	switch at := r.After.position().at; {
	case r.After == "":
	case !r.downward():
		r.Since = max(r.Since, at)
	case r.Until == 0 || at < r.Until:
		r.Until = math.Nextafter(at, math.Inf(1))
	}
	return r
}

// ordered brings a page, which was read from the newest on or from the oldest on, into the order that the range asks for.
func ordered[T any](page []T, r Range) []T {
	if r.downward() && !r.Reverse {
		slices.Reverse(page)
	}
	return page
}

// merged joins two listings of one range, each in the range's order, and keeps no more than the range asks for.
func merged[T any](a, b []T, r Range, compare func(a, b T) int) []T {
	all := append(a, b...)
	slices.SortStableFunc(all, func(a, b T) int {
		if r.Reverse {
			return compare(b, a)
		}
		return compare(a, b)
	})
	switch {
	case r.Limit == 0 || len(all) <= r.Limit:
		return all
	case r.Newest && !r.Reverse:
		return all[len(all)-r.Limit:]
	}
	return all[:r.Limit]
}
