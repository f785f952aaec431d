package web

import (
	"context"

	"github.com/proctape/proctape/query"
)

// seriesEndpoints are the questions that a picture of a range is made of.
var seriesEndpoints = []endpoint{
	single("series", "what each host did over a range, in cells of one length: made of snapshots, minutes or hours", []param{paramHost, paramSince, paramUntil,
		number("most", "at most so many cells; 100 when it is left out, at most 2000", 1, 2000, func(q *question, n int64) { q.Limit = int(n) })}, series, "since"),
}

// series answers what hosts did.
func series(ctx context.Context, s *Server, q *question) (*query.Series, error) {
	r := q.Range
	if r.Until == 0 {
		r.Until = now(q)
	}
	if r.Until <= r.Since {
		return nil, badParameter("since", "it is not before until", "")
	}
	told, err := query.ReadSeries(ctx, s.cfg.DB, r, q.Limit)
	return &told, err
}
