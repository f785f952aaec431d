package query

import (
	"slices"
	"strings"
)

// Range is a span of time, and how much of it to return. The zero Range is everything.
type Range struct {
	Since  float64 // Unix seconds, inclusive
	Until  float64 // Unix seconds, exclusive; 0 for no end
	Limit  int     // 0 for all
	Newest bool    // return the last Limit, still oldest first; otherwise the first Limit
	Host   string  // empty for all hosts
}

// page completes a query over a table with the columns timestamp, id and host_id, in the alias t; more are conditions
// without parameters.
func (r Range) page(query string, more ...string) (string, []any) {
	query += ` WHERE t.timestamp >= ?`
	args := []any{r.Since}
	if r.Until > 0 {
		query += ` AND t.timestamp < ?`
		args = append(args, r.Until)
	}
	if r.Host != "" {
		// The plus keeps to the index by time, whose order is the page's.
		query += ` AND +t.host_id = (SELECT id FROM hosts WHERE name = ?)`
		args = append(args, r.Host)
	}
	query += strings.Join(more, "")
	order := ` ORDER BY t.timestamp, t.id`
	if r.Newest {
		order = ` ORDER BY t.timestamp DESC, t.id DESC`
	}
	query += order
	if r.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, r.Limit)
	}
	return query, args
}

// merged joins two listings of one range, oldest first, and keeps no more than the range asks for.
func merged[T any](a, b []T, r Range, compare func(a, b T) int) []T {
	all := append(a, b...)
	slices.SortStableFunc(all, compare)
	switch {
	case r.Limit == 0 || len(all) <= r.Limit:
		return all
	case r.Newest:
		return all[len(all)-r.Limit:]
	}
	return all[:r.Limit]
}
