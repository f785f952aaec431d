package mcp

import (
	"context"
	"errors"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
	"github.com/proctape/proctape/query/correlate"
	"github.com/proctape/proctape/query/estimate"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/why"
)

// jobsAsked asks for jobs, or for the runs of one.
type jobsAsked struct {
	OfHost
	Job   string `json:"job,omitempty" jsonschema:"the runs of this job"`
	Since string `json:"since,omitempty" jsonschema:"time: only what was seen from this time on"`
	Limit int    `json:"limit,omitempty" jsonschema:"at most so many, those that were seen last (default 50)"`
}

// jobs answers the jobs, or the runs of one.
func jobs(ctx context.Context, a *asked, in *jobsAsked) (*reply, error) {
	r, err := a.rangeOf(ctx, &Range{OfHost: in.OfHost, Since: in.Since, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	if in.Job != "" {
		return a.runs(ctx, query.JobFilter{Name: in.Job, Host: in.Host}, r)
	}
	limit := r.Limit
	r.Limit++ // one more says whether there are more
	all, err := newestJobs(ctx, a.db, r)
	if err != nil {
		return nil, err
	}
	list, cut := cutItems(all, limit)
	known := query.Range{Since: r.Since, Host: r.Host}
	if known.Since == 0 {
		known.Since = a.unix()
		for i := range list.Items {
			if seen := list.Items[i].FirstSeen; seen != nil {
				known.Since = min(known.Since, *seen)
			}
		}
	}
	covers, err := a.covered(ctx, known)
	return &reply{value: list, covers: covers, cut: cut}, err
}

// runs answers the runs of a job, the newest first.
func (a *asked) runs(ctx context.Context, job query.JobFilter, r query.Range) (*reply, error) {
	if err := a.checkJob(ctx, job.Name); err != nil {
		return nil, err
	}
	all, err := query.Runs(ctx, a.db, job)
	if err != nil {
		return nil, err
	}
	list := &items[query.Run]{Items: []query.Run{}}
	cut := false
	for i := len(all) - 1; i >= 0; i-- {
		if ended := all[i].Ended; ended != nil && *ended < r.Since {
			continue
		}
		if cut = len(list.Items) == r.Limit; cut {
			break
		}
		list.Items = append(list.Items, all[i])
	}
	covers, err := query.JobCoverage(ctx, a.db, job)
	return &reply{value: list, covers: covers, cut: cut}, err
}

// reportAsked asks what a run used.
type reportAsked struct {
	OfHost
	Job string `json:"job" jsonschema:"the job"`
	Run string `json:"run,omitempty" jsonschema:"a run, by its number or id, or all for all runs together (default the newest)"`
}

// reportOf answers the report of a run, or of all.
func reportOf(ctx context.Context, a *asked, in *reportAsked) (*reply, error) {
	if err := errors.Join(a.checkHost(ctx, in.Host), a.checkJob(ctx, in.Job)); err != nil {
		return nil, err
	}
	job := query.JobFilter{Name: in.Job, Host: in.Host}
	if in.Run == "all" {
		r, err := report.Read(ctx, a.db, job, a.now)
		if err != nil {
			return nil, err
		}
		return &reply{value: r, covers: r.Coverage}, nil
	}
	r, err := report.ReadRun(ctx, a.db, job, in.Run, a.now)
	if err != nil {
		return nil, err
	}
	text, evidence, err := correlate.Advise(ctx, a.db, query.JobFilter{Name: r.JobID, Host: r.Host})
	report.AddAdvice(r, correlate.Condition, text, evidence)
	return &reply{value: r, covers: r.Coverage}, err
}

// whyAsked asks for a story.
type whyAsked struct {
	OfHost
	PID   int64  `json:"pid,omitempty" jsonschema:"a process id"`
	Job   string `json:"job,omitempty" jsonschema:"a job"`
	Event int64  `json:"event,omitempty" jsonschema:"the id of an event, as the tool events has it: the process that it is of"`
	At    string `json:"at,omitempty" jsonschema:"time: of several processes of a pid, the one that lived then"`
}

// whyOf answers the story of a process or of a job.
func whyOf(ctx context.Context, a *asked, in *whyAsked) (*reply, error) {
	given := 0
	for _, is := range []bool{in.PID != 0, in.Job != "", in.Event != 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, wrongInput("pid", "it is not one of pid, job and event that is given", "give one of them")
	}
	if err := errors.Join(a.checkHost(ctx, in.Host), a.checkJob(ctx, in.Job)); err != nil {
		return nil, err
	}
	if in.Job != "" {
		job := query.JobFilter{Name: in.Job, Host: in.Host}
		told, err := why.Job(ctx, a.db, job)
		if err != nil {
			return nil, err
		}
		covers, err := query.JobCoverage(ctx, a.db, job)
		return &reply{value: told, covers: covers}, err
	}
	at, err := a.moment("at", in.At)
	if err != nil {
		return nil, err
	}
	var story *why.Story
	if in.Event != 0 {
		story, err = why.Event(ctx, a.db, in.Event)
	} else {
		story, err = why.Process(ctx, a.db, query.Identity{Host: in.Host, PID: in.PID}, at)
	}
	if err != nil {
		return nil, err
	}
	return &reply{value: story, covers: story.Coverage}, nil
}

// compareAsked asks what changed.
type compareAsked struct {
	OfHost
	Job     string `json:"job" jsonschema:"the job"`
	Run     string `json:"run,omitempty" jsonschema:"the run that is compared, by number or id (default the newest that has ended)"`
	Runs    int    `json:"runs,omitempty" jsonschema:"compare so many runs, up to that one (default 1)"`
	Against string `json:"against,omitempty" jsonschema:"with this one run, by number or id (default the last ones)"`
	Last    int    `json:"last,omitempty" jsonschema:"with so many runs before them, or of the other job"`
	Other   string `json:"other,omitempty" jsonschema:"with the newest runs of this job"`
}

// compareOf answers what changed between runs.
func compareOf(ctx context.Context, a *asked, in *compareAsked) (*reply, error) {
	if err := errors.Join(a.checkHost(ctx, in.Host), a.checkJob(ctx, in.Job), a.checkJob(ctx, in.Other)); err != nil {
		return nil, err
	}
	c, err := compare.Read(ctx, a.db, compare.Question{Job: query.JobFilter{Name: in.Job, Host: in.Host}, Run: in.Run, Runs: in.Runs, Against: in.Against, Last: in.Last, Other: in.Other})
	if err != nil {
		return nil, err
	}
	r := &reply{value: c}
	for _, side := range []*compare.Side{&c.Runs, &c.Against} {
		for i := range side.Runs {
			r.covers = append(r.covers, side.Runs[i].Coverage...)
		}
	}
	return r, nil
}

// runsAsked asks of many runs of a job.
type runsAsked struct {
	OfHost
	Job   string `json:"job" jsonschema:"the job"`
	Since string `json:"since,omitempty" jsonschema:"time: only runs that began from this time on"`
}

// ofRuns reads what runs are asked of.
func (a *asked) ofRuns(ctx context.Context, in *runsAsked) (job query.JobFilter, since float64, err error) {
	if err := errors.Join(a.checkHost(ctx, in.Host), a.checkJob(ctx, in.Job)); err != nil {
		return job, 0, err
	}
	since, err = a.moment("since", in.Since)
	return query.JobFilter{Name: in.Job, Host: in.Host}, since, err
}

// correlateOf answers what goes with failure and slowness.
func correlateOf(ctx context.Context, a *asked, in *runsAsked) (*reply, error) {
	job, since, err := a.ofRuns(ctx, in)
	if err != nil {
		return nil, err
	}
	c, err := correlate.Read(ctx, a.db, correlate.Question{Job: job, Since: since})
	if err != nil {
		return nil, err
	}
	return &reply{value: c, covers: c.Coverage}, nil
}

// estimateOf answers what a next run will use.
func estimateOf(ctx context.Context, a *asked, in *runsAsked) (*reply, error) {
	job, since, err := a.ofRuns(ctx, in)
	if err != nil {
		return nil, err
	}
	e, err := estimate.Read(ctx, a.db, estimate.Question{Job: job, Since: since}, a.now)
	if err != nil {
		return nil, err
	}
	return &reply{value: e, covers: e.Coverage}, nil
}
