package web

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"reflect"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
	"github.com/proctape/proctape/query/correlate"
	"github.com/proctape/proctape/query/estimate"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/why"
)

// allRuns is the value of run for all runs of a job together.
const allRuns = "all"

// jobEndpoints are the questions about jobs and their runs, and about why something ended.
var jobEndpoints = []endpoint{
	single("jobs", "the jobs, those that were seen last at the end", []param{paramHost, paramSince, paramLimit},
		func(ctx context.Context, s *Server, q *question) (*list[query.Job], error) {
			newest := q.Range
			newest.Newest = true
			jobs, err := query.Jobs(ctx, s.cfg.DB, newest)
			return withCoverage(ctx, s, q, jobs, jobsSince(q, jobs), now(q), err)
		}),
	single("runs", "the runs of a job, by their numbers; of more than the limit, the latest", []param{paramHost, paramSince, paramLimit, paramJob}, runs, "job"),
	several("report", "what a run of a job used, and what happened to its processes; without run it is the newest, and with all it is all runs together",
		[]param{paramJob, paramHost, text("run", "a run, by its number or its id, or "+allRuns, func(q *question, s string) { q.run = s })},
		reportOf, []reflect.Type{reflect.TypeFor[report.RunReport](), reflect.TypeFor[report.Report]()}, "job"),
	several("compare", "what changed between the newest runs of a job and those before them, or those of another job, and whether their own spread explains it; with since and no job, between a time and the one before it",
		[]param{paramHost, paramSince, paramUntil, paramLimit, moment("before", "when the time begins that another is compared with; right before it when it is left out", func(q *question, t float64) { q.earlier = t }),
			words("by", "what differences between times are about; all when it is left out", compare.WindowBy, func(q *question, w []string) { q.about = w }), text("run", "the last of the runs, by its number or its id", func(q *question, s string) { q.run = s }),
			number("runs", "how many runs are compared", 1, compare.MostRuns, func(q *question, n int64) { q.runs = int(n) }),
			text("against", "the one run with which they are compared, by number or id", func(q *question, s string) { q.against = s }),
			number("last", "with how many runs they are compared", 1, compare.MostRuns, func(q *question, n int64) { q.last = int(n) }),
			text("other", "the job whose newest runs they are compared with", func(q *question, s string) { q.other = s }), paramJob},
		compared, []reflect.Type{reflect.TypeFor[compare.Comparison](), reflect.TypeFor[compare.Windows]()}),
	single("correlate", "what goes with failure and with slowness over the runs of a job, by tests that are corrected together",
		[]param{paramHost, paramSince, number("last", "the newest so many runs", 1, correlate.MostRuns, func(q *question, n int64) { q.last = int(n) }), paramJob}, correlateRuns, "job"),
	single("estimate", "what a next run of a job will use, in all and step by step, and how the hosts are now",
		[]param{paramHost, paramSince, number("last", "by the newest so many runs", 1, estimate.MostRuns, func(q *question, n int64) { q.last = int(n) }), paramJob}, estimateRun, "job"),
	several("why", "how a process lived and why it ended: of a pid, or of the process that an event is of; of a job, what failed in it and the process that it began with",
		[]param{paramHost, paramPID, paramJob, moment("at", "of several processes of a pid, the one that lived at this time", func(q *question, t float64) { q.at = t }),
			number("event", "the process that the event of this id is of", 1, math.MaxInt64, func(q *question, n int64) { q.event = n }),
			paramBoot, paramStart}, whyOf, []reflect.Type{reflect.TypeFor[why.Story](), reflect.TypeFor[jobStory]()}),
}

// runs answers the runs of a job.
func runs(ctx context.Context, s *Server, q *question) (*list[query.Run], error) {
	job := query.JobFilter{Name: q.Job, Host: q.Host}
	all, err := query.Runs(ctx, s.cfg.DB, job)
	if err != nil {
		return nil, err
	}
	l := &list[query.Run]{Items: []query.Run{}}
	for i := range all {
		if ended := all[i].Ended; ended == nil || *ended >= q.Since {
			l.Items = append(l.Items, all[i])
		}
	}
	l.Items = l.Items[max(0, len(l.Items)-q.Limit):]
	if len(all) == 0 {
		if _, err := query.JobScopes(ctx, s.cfg.DB, job); err != nil {
			return nil, err
		}
	}
	l.Coverage, err = query.JobCoverage(ctx, s.cfg.DB, job)
	return l, err
}

// compared answers what changed between runs, or between times.
func compared(ctx context.Context, s *Server, q *question) (any, error) {
	switch {
	case q.Job != "":
		return compareRuns(ctx, s, q)
	case q.Since == 0:
		return nil, badParameter("job", "neither a job nor since is given", "give a job, or since for a time")
	}
	if q.Until = cmp.Or(q.Until, now(q)); q.Until <= q.Since {
		return nil, badParameter("until", "it is not after since", "an end after the beginning")
	}
	return compare.ReadWindows(ctx, s.cfg.DB, compare.WindowQuestion{Filter: q.Filter, Before: q.earlier, By: q.about})
}

// compareRuns answers what changed between runs.
func compareRuns(ctx context.Context, s *Server, q *question) (*compare.Comparison, error) {
	c, err := compare.Read(ctx, s.cfg.DB, compare.Question{Job: query.JobFilter{Name: q.Job, Host: q.Host}, Run: q.run, Runs: q.runs, Last: q.last, Against: q.against, Other: q.other})
	if errors.Is(err, compare.ErrNothingBefore) {
		return nil, &Problem{Title: "nothing to compare", Status: http.StatusNotFound, Detail: err.Error(), Parameter: "job", Hint: "GET /api/v1/runs lists the runs of a job"}
	}
	return c, err
}

// reportOf answers the report of a run, or of all.
func reportOf(ctx context.Context, s *Server, q *question) (any, error) {
	job := query.JobFilter{Name: q.Job, Host: q.Host}
	if q.run != allRuns {
		return reportOfRun(ctx, s, job, q)
	}
	r, err := report.Read(ctx, s.cfg.DB, job, q.now)
	if err == nil && r.Profile == nil && r.Best == nil {
		return nil, query.ErrNoJob
	}
	return r, err
}

// reportOfRun answers the report of a run, with what stands out over all runs.
func reportOfRun(ctx context.Context, s *Server, job query.JobFilter, q *question) (any, error) {
	r, err := report.ReadRun(ctx, s.cfg.DB, job, q.run, q.now)
	if err != nil {
		return nil, err
	}
	text, evidence, err := correlate.Advise(ctx, s.cfg.DB, query.JobFilter{Name: r.JobID, Host: r.Host})
	report.AddAdvice(r, correlate.Condition, text, evidence)
	return r, err
}

// correlateRuns answers what goes with failure and slowness.
func correlateRuns(ctx context.Context, s *Server, q *question) (*correlate.Answer, error) {
	return correlate.Read(ctx, s.cfg.DB, correlate.Question{Job: query.JobFilter{Name: q.Job, Host: q.Host}, Since: q.Since, Last: q.last})
}

// estimateRun answers what a next run will use.
func estimateRun(ctx context.Context, s *Server, q *question) (*estimate.Estimate, error) {
	return estimate.Read(ctx, s.cfg.DB, estimate.Question{Job: query.JobFilter{Name: q.Job, Host: q.Host}, Since: q.Since, Last: q.last}, q.now)
}

// jobStory is the story of a job, with how much of its time is known.
type jobStory struct {
	*why.JobStory
	Coverage []query.Coverage `json:"coverage"`
}

// whyOf answers the story of a process or of a job.
func whyOf(ctx context.Context, s *Server, q *question) (any, error) {
	named := 0
	for _, is := range []bool{q.PID != 0, q.Job != "", q.event != 0} {
		if is {
			named++
		}
	}
	switch {
	case named != 1:
		return nil, badParameter("pid", "it is not one of pid, job and event that is given", "give one of them")
	case q.event != 0:
		return story(why.Event(ctx, s.cfg.DB, q.event))("event")
	case q.PID != 0:
		return story(why.Process(ctx, s.cfg.DB, query.Identity{Host: q.Host, BootID: q.bootID, PID: q.PID, StartTicks: q.start}, q.at))("pid")
	}
	job := query.JobFilter{Name: q.Job, Host: q.Host}
	told, err := why.Job(ctx, s.cfg.DB, job)
	if err != nil {
		return nil, err
	}
	covers, err := query.JobCoverage(ctx, s.cfg.DB, job)
	return &jobStory{told, covers}, err
}

// story is the answer of a process's story; of one that is not recorded, the parameter that named it is told.
func story(s *why.Story, err error) func(parameter string) (any, error) {
	return func(parameter string) (any, error) {
		if errors.Is(err, why.ErrNoProcess) {
			return nil, &Problem{Title: "not recorded", Status: http.StatusNotFound, Detail: "nothing is recorded of such a process", Parameter: parameter,
				Hint: "GET /api/v1/events lists what started and ended, with pids and ids; at picks a time"}
		}
		return s, err
	}
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
