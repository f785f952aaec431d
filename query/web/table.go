package web

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/schema"
)

// endpoints are the questions about what is recorded of a range.
var endpoints = []endpoint{
	single("hosts", "what was recorded of each host: its balance, the time of its newest message, what its sampler sees, and how much of the last hour is known", nil,
		func(ctx context.Context, s *Server, q *question) (*list[query.HostBalance], error) {
			hosts, err := query.Hosts(ctx, s.cfg.DB)
			return withCoverage(ctx, s, q, hosts, now(q)-coveredHour, now(q), err)
		}),
	single("status", "whether all is well and why not, how far each stream is projected, and each host's balance", nil,
		func(ctx context.Context, s *Server, _ *question) (*health.Status, error) { return s.statusNow(ctx) }),
	single("proof", "how far the database is known to be what was written: as it is now, and as it was noted last", nil,
		func(_ context.Context, s *Server, _ *question) (*proofs, error) {
			now, err := query.Proof(s.cfg.DB)
			return &proofs{now, query.NotedProof(s.cfg.DB)}, err
		}),
	listing("snapshots", "the hosts at each time, with their processes", slices.Concat(inRange, ofProcesses, []param{
		paramStates,
	}), query.SnapshotSeq),
	listing("events", "starts, ends, signals and kills of processes", slices.Concat(inRange, ofProcesses, ofEnds, []param{
		paramTypes,
	}), query.EventSeq),
	listing("execs", "programs that known processes began to execute", slices.Concat(inRange, []param{paramJob, paramPID}), query.ExecSeq),
	listingOf("history", "one process through time; a pid that was used again is several processes, which start and boot tell apart",
		slices.Concat(inRange, []param{paramPID,
			paramBoot, paramStart,
		}), historySeq, "pid"),
	settled(single("anomalies", "what rules found: episodes with a start, a peak and an end, that overlap the range, oldest first", []param{paramHost, paramSince, paramUntil, paramLimit, paramOrder,
		paramJob, paramPID,
		{"rule", "only what these rules found, or rules of these types", ofList, nil, func(q *question, s string) error { q.rules = strings.Split(s, ","); return nil }},
		{"severity", "only episodes as bad as this, or worse", ofText, severities(), func(q *question, s string) error { q.severity = schema.Severity(s); return nil }},
		{"open", "only episodes that go on", ofBoolean, nil, func(q *question, s string) (err error) { q.open, err = strconv.ParseBool(s); return err }}},
		func(ctx context.Context, s *Server, q *question) (*list[query.Anomaly], error) {
			found, err := query.Anomalies(ctx, s.cfg.DB, query.AnomalyFilter{Range: q.Range, Job: q.Job, PID: q.PID, Rules: q.rules, Least: q.severity, Open: q.open})
			since, until := q.Since, q.Until
			if until == 0 {
				until = now(q)
			}
			if since == 0 {
				since = until - coveredHour // as the command
			}
			return withCoverage(ctx, s, q, found, since, until, err)
		})),
	settled(single("gaps", "what is missing from the record", []param{paramHost, paramSince, paramUntil, paramLimit,
		{"kind", "only gaps of this kind", ofText, gapKinds(), func(q *question, s string) error { q.gap = schema.GapKind(s); return nil }}},
		func(ctx context.Context, s *Server, q *question) (*list[query.Gap], error) {
			gaps, err := query.Gaps(ctx, s.cfg.DB, q.Range, q.gap)
			since, until := q.Since, q.Until
			if until == 0 {
				until = now(q)
			}
			if since == 0 {
				since = until - coveredHour // as the command
			}
			return withCoverage(ctx, s, q, gaps, since, until, err)
		})),
}

// proofs is how far the database is proven.
type proofs struct {
	Now   query.Proven `json:"now"`
	Noted query.Proven `json:"noted"`
}

// coveredHour is of how many seconds the coverage is told where a question names no time.
const coveredHour = 3600

// allEndpoints are the questions that can be asked.
func allEndpoints() []endpoint {
	return slices.Concat(endpoints, moments, jobEndpoints, seriesEndpoints)
}

// severities are the names of the severities of anomalies.
func severities() []string {
	var names []string
	for _, s := range schema.Severities {
		names = append(names, string(s))
	}
	return names
}

// gapKinds are the names of the kinds of gaps.
func gapKinds() []string {
	var kinds []string
	for _, k := range schema.GapKinds() {
		kinds = append(kinds, string(k.Kind))
	}
	return kinds
}
