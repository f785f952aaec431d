package web

import (
	"context"

	"github.com/proctape/proctape/query"
)

// paramAt is the moment that a question is about.
var paramAt = moment("at", "as it was at this time; when it is left out, as it is now", func(q *question, t float64) { q.at = t })

// moments are the questions about one moment, or about what changed between two.
var moments = []endpoint{
	settled(single("processes", "the processes that were there at a time, host by host", withProcesses(paramAt),
		func(ctx context.Context, s *Server, q *question) (*list[query.HostAt], error) {
			hosts, err := query.ProcessesAt(ctx, s.cfg.DB, q.moment(), q.Filter)
			return withCoverage(ctx, s, q, hosts, q.moment()-1, q.moment(), err)
		})),
	settled(single("tree", "the processes at a time as they bore each other", withProcesses(paramAt),
		func(ctx context.Context, s *Server, q *question) (*list[query.Tree], error) {
			trees, err := query.TreeAt(ctx, s.cfg.DB, q.moment(), q.Filter)
			return withCoverage(ctx, s, q, trees, q.moment()-1, q.moment(), err)
		})),
	single("orphans", "what still ran when its job had ended", withProcesses(paramAt),
		func(ctx context.Context, s *Server, q *question) (*list[query.Orphan], error) {
			orphans, err := query.OrphansAt(ctx, s.cfg.DB, q.moment(), q.Filter)
			return withCoverage(ctx, s, q, orphans, q.moment()-1, q.moment(), err)
		}),
	settled(single("diff", "what changed between two times", withProcesses(
		moment("from", "the earlier time", func(q *question, t float64) { q.earlier = t }),
		moment("to", "the later time; when it is left out, now", func(q *question, t float64) { q.at = t })),
		func(ctx context.Context, s *Server, q *question) (*list[query.HostDiff], error) {
			if q.earlier >= q.moment() {
				return nil, badParameter("to", "it is not after from", "")
			}
			diffs, err := query.Diff(ctx, s.cfg.DB, q.earlier, q.moment(), q.Filter)
			return withCoverage(ctx, s, q, diffs, q.earlier, q.moment(), err)
		}, "from")),
	settled(single("top", "who used most, within a range or at a time", withProcesses(paramAt, paramSince, paramUntil, paramLimit,
		word("by", "a line for each of these; process when it is left out", query.TopBy, func(q *question, s string) { q.by = s }),
		word("sort", "the most first of this; cpu when it is left out", query.TopMetrics, func(q *question, s string) { q.sort = s })), top)),
}

// withProcesses are the parameters of a question about processes.
func withProcesses(params ...param) []param {
	return append(append(params, paramHost), ofProcesses...)
}

// moment is the time that the question is about, in Unix seconds.
func (q *question) moment() float64 {
	if q.at == 0 {
		return float64(q.now.UnixNano()) / 1e9
	}
	return q.at
}

// top answers who used most.
func top(ctx context.Context, s *Server, q *question) (*query.Top, error) {
	ask := query.TopQuery{Filter: q.Filter, By: q.by, Sort: q.sort}
	switch {
	case q.at != 0 && (q.Since != 0 || q.Until != 0):
		return nil, badParameter("at", "it does not go with since and until", "at is one time, the others are a range")
	case q.Until != 0 && q.Since == 0:
		return nil, badParameter("until", "it is given without since", "at is for one time")
	case q.Since != 0:
		if ask.Until == 0 {
			ask.Until = q.moment()
		}
		return query.TopOf(ctx, s.cfg.DB, ask)
	}
	return query.TopAt(ctx, s.cfg.DB, q.moment(), ask)
}
