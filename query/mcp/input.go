package mcp

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

// choices are the words of inputs that take one of some.
var choices = map[string][]string{
	"by":    query.TopBy,
	"sort":  query.TopMetrics,
	"order": {"newest", "oldest"},
	"type":  {"spawn", "exit", "signal", "kill", "oom"},
}

// mostItems is how many items of a listing an answer may have, and mostRows how many rows of a statement.
const (
	mostItems = 1000
	mostRows  = 10_000
)

// bounds are the least and the most of inputs that are numbers.
var bounds = map[string][2]float64{
	"limit": {1, mostItems}, "rows": {1, mostRows}, "exit_code": {0, 255}, "signal": {1, 64}, "pid": {1, 1 << 22}, "step": {0, math.MaxInt32}, "user": {0, math.MaxUint32},
	"event": {1, math.MaxInt64}, "runs": {1, compare.MostRuns}, "last": {1, compare.MostRuns},
}

// OfHost picks a host.
type OfHost struct {
	Host string `json:"host,omitempty" jsonschema:"only this host"`
}

// Range picks a time, and how much of it is told.
type Range struct {
	OfHost
	Since string `json:"since,omitempty" jsonschema:"time: from this time on"`
	Until string `json:"until,omitempty" jsonschema:"time: before this time"`
	Limit int    `json:"limit,omitempty" jsonschema:"at most so many items (default 50)"`
}

// Picks picks processes.
type Picks struct {
	Job     string `json:"job,omitempty" jsonschema:"only this job"`
	PID     int64  `json:"pid,omitempty" jsonschema:"only this process id"`
	Step    *int64 `json:"step,omitempty" jsonschema:"only this step (sheet) of its job"`
	User    *int64 `json:"user,omitempty" jsonschema:"only this user id"`
	Command string `json:"command,omitempty" jsonschema:"only command lines that hold this text"`
	Cgroup  string `json:"cgroup,omitempty" jsonschema:"only this control group, and what is below it"`
}

// usualItems is how many items an answer has when nobody says.
const usualItems = 50

// limit is how many items are asked for.
func limitOf(n, usual int) int {
	if n == 0 {
		return usual
	}
	return n
}

// moment reads a time, and is 0 for none.
func (a *asked) moment(name, text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	t, err := a.cfg.ParseTime(text, a.now)
	if err != nil {
		return 0, wrongInput(name, err.Error(), "write it as -15m, yesterday 14:00, RFC 3339, or Unix seconds")
	}
	return float64(t.UnixNano()) / 1e9, nil
}

// at reads a moment, and is now for none.
func (a *asked) at(text string) (float64, error) {
	t, err := a.moment("at", text)
	if err == nil && t == 0 {
		t = a.unix()
	}
	return t, err
}

// rangeOf reads a range, and checks that its host was recorded.
func (a *asked) rangeOf(ctx context.Context, in *Range) (r query.Range, err error) {
	if r.Since, err = a.moment("since", in.Since); err != nil {
		return r, err
	}
	if r.Until, err = a.moment("until", in.Until); err != nil {
		return r, err
	}
	if r.Until > 0 && r.Until <= r.Since {
		return r, wrongInput("until", "it is not after since", "")
	}
	r.Host, r.Limit = in.Host, limitOf(in.Limit, usualItems)
	return r, a.checkHost(ctx, in.Host)
}

// covered is how much is known of a range, up to now.
func (a *asked) covered(ctx context.Context, r query.Range) ([]query.Coverage, error) {
	if r.Until == 0 || r.Until > a.unix() {
		r.Until = a.unix()
	}
	return query.HostCoverage(ctx, a.db, query.Range{Since: r.Since, Until: r.Until, Host: r.Host})
}

// filterOf reads what picks processes, and checks that what it names was recorded.
func (a *asked) filterOf(ctx context.Context, in *Picks, r query.Range) (query.Filter, error) {
	f := query.Filter{Range: r, Job: in.Job, PID: in.PID, Step: in.Step, UID: in.User, Command: in.Command, Cgroup: in.Cgroup}
	return f, errors.Join(a.checkHost(ctx, r.Host), a.checkJob(ctx, in.Job))
}

// checkHost refuses a host that was never recorded: its answers would be empty for the wrong reason.
func (a *asked) checkHost(ctx context.Context, host string) error {
	if host == "" {
		return nil
	}
	hosts, err := query.HostNames(ctx, a.db)
	if err == nil && !slices.Contains(hosts, host) {
		return notRecorded("host", hosts, term.Closest(host, hosts))
	}
	return err
}

// checkJob refuses a job that was never recorded.
func (a *asked) checkJob(ctx context.Context, job string) error {
	if job == "" {
		return nil
	}
	_, err := query.JobScopes(ctx, a.db, query.JobFilter{Name: job})
	if errors.Is(err, query.ErrNoJob) {
		return a.noJob(ctx, job)
	}
	return err
}

// noJob is the error of a job that was never recorded, with those that were seen last.
func (a *asked) noJob(ctx context.Context, job string) error {
	jobs, err := query.Jobs(ctx, a.db, query.Range{Newest: true, Limit: mostItems})
	if err != nil {
		return err
	}
	names := []string{}
	for i := range slices.Backward(jobs) {
		if !slices.Contains(names, jobs[i].JobID) {
			names = append(names, jobs[i].JobID)
		}
	}
	return notRecorded("job", names[:min(len(names), 20)], term.Closest(job, names))
}

// gapKinds are the names of the kinds of gaps.
func gapKinds() (kinds []string) {
	for _, k := range schema.GapKinds() {
		kinds = append(kinds, string(k.Kind))
	}
	return kinds
}
