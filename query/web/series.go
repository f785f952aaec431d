package web

import (
	"cmp"
	"context"

	"github.com/proctape/proctape/query"
)

// seriesEndpoints are the questions that a picture of a range is made of.
var seriesEndpoints = []endpoint{
	settled(single("series", "what each host did over a range, in cells of one length: made of snapshots, minutes or hours", []param{paramHost, paramSince, paramUntil,
		number("most", "at most so many cells; 100 when it is left out, at most 2000", 1, 2000, func(q *question, n int64) { q.Limit = int(n) })}, series, "since")),
	single("lanes", "the runs, steps and processes of a range as bars over time; what is too short for a bar comes in cells", []param{paramHost, paramSince, paramUntil, paramJob, paramStep,
		number("px", "the width of the picture in pixels; 1000 when it is left out", 1, 10000, func(q *question, n int64) { q.px = int(n) })}, lanes, "since"),
}

// series answers what hosts did.
func series(ctx context.Context, s *Server, q *question) (*query.Series, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	told, err := query.ReadSeries(ctx, s.cfg.DB, q.Range, q.Limit)
	return &told, err
}

// lanes answers what ran, and when.
func lanes(ctx context.Context, s *Server, q *question) (*query.Lanes, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	return query.ReadLanes(ctx, s.cfg.DB, q.Filter, cmp.Or(q.px, 1000))
}

// end gives the range of a question an end, where it has none: now.
func (q *question) end() error {
	if q.Until == 0 {
		q.Until = now(q)
	}
	if q.Until <= q.Since {
		return badParameter("since", "it is not before until", "")
	}
	return nil
}
