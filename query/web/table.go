package web

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/schema"
)

// endpoints are the questions about what is recorded of a range.
var endpoints = []endpoint{
	single("hosts", "what was recorded of each host: its balance, the time of its newest message, what its sampler sees", nil,
		func(ctx context.Context, s *Server, _ *question) (*list[query.HostBalance], error) {
			hosts, err := query.Hosts(ctx, s.cfg.DB)
			return &list[query.HostBalance]{Items: hosts}, err
		}),
	listing("snapshots", "the hosts at each time, with their processes", slices.Concat(inRange, ofProcesses, []param{
		words("state", "only processes in these scheduler states", strings.Split("R,S,D,Z,T,t,I,X", ","), func(q *question, w []string) { q.States = w }),
	}), query.SnapshotSeq),
	listing("events", "starts, ends, signals and kills of processes", slices.Concat(inRange, ofProcesses, ofEnds, []param{
		words("type", "only events of these types", []string{"spawn", "exit", "signal", "kill", "oom"}, func(q *question, w []string) { q.Types = w }),
	}), query.EventSeq),
	listing("execs", "programs that known processes began to execute", slices.Concat(inRange, []param{paramJob, paramPID}), query.ExecSeq),
	listingOf("history", "one process through time; a pid that was used again is several processes, which start and boot tell apart",
		slices.Concat(inRange, []param{paramPID,
			text("boot", "only the process of this boot of its host", func(q *question, s string) { q.bootID = s }),
			number("start", "only the process that started so many hundredths of a second after boot", 0, math.MaxInt64, func(q *question, n int64) { q.start = &n }),
		}), historySeq, "pid"),
	single("jobs", "the jobs, those that were seen last at the end", []param{paramHost, paramSince, paramLimit},
		func(ctx context.Context, s *Server, q *question) (*list[query.Job], error) {
			jobs, err := query.Jobs(ctx, s.cfg.DB, q.Range)
			return withCoverage(ctx, s, q, jobs, jobsSince(q, jobs), now(q), err)
		}),
	single("report", "what a job used, and what happened to its processes", []param{paramJob, paramHost},
		func(ctx context.Context, s *Server, q *question) (*report.Report, error) {
			r, err := report.Read(ctx, s.cfg.DB, query.JobFilter{Name: q.Job, Host: q.Host}, q.now)
			if err == nil && r.Profile == nil {
				return nil, query.ErrNoJob
			}
			return r, err
		}, "job"),
	single("gaps", "what is missing from the record", []param{paramHost, paramSince, paramUntil, paramLimit,
		{"kind", "only gaps of this kind", ofText, gapKinds(), func(q *question, s string) error { q.gap = schema.GapKind(s); return nil }}},
		func(ctx context.Context, s *Server, q *question) (*list[query.Gap], error) {
			gaps, err := query.Gaps(ctx, s.cfg.DB, q.Range, q.gap)
			since, until := q.Since, q.Until
			if until == 0 {
				until = now(q)
			}
			if since == 0 {
				since = until - 3600 // as the command
			}
			return withCoverage(ctx, s, q, gaps, since, until, err)
		}),
}

// jobsSince is since when the coverage of jobs counts: as the question says, or since the first of them was seen.
func jobsSince(q *question, jobs []query.Job) float64 {
	if q.Since > 0 {
		return q.Since
	}
	since := now(q)
	for i := range jobs {
		if seen := jobs[i].FirstSeen; seen != nil {
			since = min(since, *seen)
		}
	}
	return since
}

// allEndpoints are the questions that can be asked.
func allEndpoints() []endpoint { return slices.Concat(endpoints, moments) }

// gapKinds are the names of the kinds of gaps.
func gapKinds() []string {
	var kinds []string
	for _, k := range schema.GapKinds() {
		kinds = append(kinds, string(k.Kind))
	}
	return kinds
}
