package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/query"
)

// Question says which runs are compared.
type Question struct {
	Job  query.JobFilter
	Run  string // the last of the runs, by number or id; empty for the newest that has ended
	Runs int    // how many runs, up to and with that one; 0 is 1
	Last int    // how many runs they are compared with; 0 is [DefaultLast]
	// Against is the one run with which they are compared, by number or id; empty for the last ones.
	Against string
	Other   string // the job whose newest runs they are compared with; empty for those of the same job before them
	// MinRelative is the least change that counts, as a share; 0 is [DefaultMinRelative].
	MinRelative float64
}

// What a question has that does not say so, and the most runs that a side may have.
const (
	DefaultLast        = 5
	DefaultMinRelative = 0.05
	MostRuns           = 30
)

// ErrNothingBefore says that a job has no ended run to compare with.
var ErrNothingBefore = errors.New("there is no ended run to compare with")

// Read compares runs. It fails with [query.ErrNoJob], a *[query.NoRunError], a *[query.RunHostsError] or [ErrNothingBefore].
func Read(ctx context.Context, db *query.DB, q Question) (*Comparison, error) {
	q.Runs, q.Last = min(max(q.Runs, 1), MostRuns), min(q.Last, MostRuns)
	if q.Last <= 0 {
		q.Last = DefaultLast
	}
	if q.MinRelative <= 0 {
		q.MinRelative = DefaultMinRelative
	}
	runs, before, err := chosen(ctx, db, q.Job, q.Run, q.Runs)
	if err != nil {
		return nil, err
	}
	against, other := before, cmp.Or(q.Other, q.Job.Name)
	if q.Against != "" {
		q.Last = 1
	}
	if q.Other != "" || q.Against != "" {
		if against, _, err = chosen(ctx, db, query.JobFilter{Name: other, Host: q.Job.Host}, q.Against, q.Last); err != nil {
			return nil, err
		}
	}
	against = against[max(0, len(against)-q.Last):]
	if len(against) == 0 {
		return nil, fmt.Errorf("job %q, run %d: %w", q.Job.Name, runs[0].Number, ErrNothingBefore)
	}
	for _, side := range [][]query.Run{runs, against} {
		for i := range side {
			if err := query.CompleteRun(ctx, db, &side[i]); err != nil {
				return nil, err
			}
		}
	}
	return Of(sideOf(q.Job.Name, runs), sideOf(other, against), runs, against, q.MinRelative), nil
}

// chosen returns the runs of a job that have ended: n up to the one that is named, and those before them. They are of one host's
// job, or of the fleet's: of the same as the one that is named.
func chosen(ctx context.Context, db *query.DB, job query.JobFilter, run string, n int) (runs, before []query.Run, err error) {
	all, err := query.Runs(ctx, db, job)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 0 {
		if _, err := query.JobScopes(ctx, db, job); err != nil {
			return nil, nil, err
		}
	}
	var last *query.Run
	if run == "" {
		last, err = query.NewestRun(job, all, func(r *query.Run) bool { return r.Ended != nil })
	} else {
		last, err = query.FindRun(ctx, db, job, run)
	}
	if err != nil {
		return nil, nil, err
	}
	if last == nil {
		return nil, nil, fmt.Errorf("job %q: %w", job.Name, ErrNothingBefore)
	}
	all = slices.DeleteFunc(all, func(r query.Run) bool {
		return r.Host != last.Host || r.Fleet != last.Fleet || r.Number > last.Number || r.Ended == nil && r.ID != last.ID
	})
	at := max(0, len(all)-n)
	return all[at:], all[:at], nil
}

func sideOf(job string, runs []query.Run) Side {
	s := Side{JobID: job, Runs: []Run{}}
	for i := range runs {
		r := &runs[i]
		s.Runs = append(s.Runs, Run{Number: r.Number, ID: r.ID, Host: r.Host, Started: r.Started, Failed: failed(r.ExitCode, r.Signal),
			LowerBound: r.LowerBound, Incomplete: query.Incomplete(r.Coverage), Coverage: r.Coverage})
		if s.Runs[i].Failed {
			s.Failed++
		}
	}
	return s
}

// Of compares runs that have been read, with their steps. It reads nothing.
func Of(side, other Side, runs, against []query.Run, least float64) *Comparison {
	c := &Comparison{Runs: side, Against: other, MinRelative: least, Alpha: alpha, Notes: []string{}}
	a, b := make([]used, len(runs)), make([]used, len(against))
	for i := range runs {
		a[i] = ofRun(&runs[i])
	}
	for i := range against {
		b[i] = ofRun(&against[i])
	}
	c.Figures, c.Steps = figuresOf(a, b, least), stepsOf(runs, against, least)
	if n := min(len(runs), len(against)); n < fewForRank {
		c.note("a rank test needs %d runs a side; here a figure counts as changed when it lies outside of all runs before (at least %d)", fewForRank, fewForEdge)
	}
	c.noteRuns("failed: their figures do not decide", func(r *Run) bool { return r.Failed })
	c.noteRuns("had processes that nobody saw: their figures from exits and samples are lower bounds and do not decide", func(r *Run) bool { return r.LowerBound })
	c.noteIncomplete()
	return c
}

func (c *Comparison) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// noteRuns notes which runs something is true of.
func (c *Comparison) noteRuns(what string, is func(*Run) bool) {
	var names []string
	for _, side := range []*Side{&c.Against, &c.Runs} {
		for i := range side.Runs {
			if is(&side.Runs[i]) {
				names = append(names, side.name(i, c))
			}
		}
	}
	if len(names) > 0 {
		c.note("of the runs, %s %s", strings.Join(names, ", "), what)
	}
}

// mostReasons is how many runs a comparison gives the reason of why they are incomplete.
const mostReasons = 3

// noteIncomplete notes which runs are not wholly recorded, the newest first, and why.
func (c *Comparison) noteIncomplete() {
	lacking := 0
	for _, side := range []*Side{&c.Runs, &c.Against} {
		for i := len(side.Runs) - 1; i >= 0; i-- {
			if r := &side.Runs[i]; r.Incomplete != "" {
				if lacking++; lacking <= mostReasons {
					c.note("run %s is %s", side.name(i, c), r.Incomplete)
				}
			}
		}
	}
	if lacking > mostReasons {
		c.note("%d more of the runs are incomplete; JSON says why", lacking-mostReasons)
	}
}

func (s *Side) name(i int, c *Comparison) string {
	n := strconv.FormatInt(s.Runs[i].Number, 10)
	if c.Runs.JobID != c.Against.JobID {
		return s.JobID + "/" + n
	}
	return n
}
