package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// NoRunError says that a job has no run of a number or an id.
type NoRunError struct {
	Job, Run string
	First    int64 // number of the first run of the job that is in the recording; 0 when there is none
	Last     int64 // and of its last
}

func (e *NoRunError) Error() string {
	return fmt.Sprintf("job %q has no run %s in the recording", e.Job, e.Run)
}

// RunHostsError says that several jobs of a name have a run of the number that was asked for, or a newest one.
type RunHostsError struct {
	Job, Run string   // an empty Run is the newest
	Hosts    []string // whose jobs they are, sorted; "fleet" for the fleet's
}

func (e *RunHostsError) Error() string {
	if e.Run == "" {
		return fmt.Sprintf("job %q is several, and each has a newest run: of %s", e.Job, strings.Join(e.Hosts, ", "))
	}
	return fmt.Sprintf("run %s of job %q is several: of %s", e.Run, e.Job, strings.Join(e.Hosts, ", "))
}

// FindRun returns one run of a job with its steps, by its number within the job or by its id. It is a *[NoRunError] when there is
// none, and a *[RunHostsError] when several hosts have a job of the name with a run of that number.
func FindRun(ctx context.Context, db *DB, f JobFilter, run string) (*Run, error) {
	runs, err := Runs(ctx, db, f)
	if err != nil {
		return nil, err
	}
	return FindRunOf(ctx, db, f, runs, run)
}

// FindRunOf is FindRun among the runs that [Runs] returned.
func FindRunOf(ctx context.Context, db *DB, f JobFilter, runs []Run, run string) (*Run, error) {
	var first, last int64
	var found []*Run
	for i := range runs {
		last = max(last, runs[i].Number)
		if first == 0 || runs[i].Number < first {
			first = runs[i].Number
		}
		if runs[i].ID == strings.ToLower(run) || strconv.FormatInt(runs[i].Number, 10) == run {
			found = append(found, &runs[i])
		}
	}
	switch len(found) {
	case 0:
		return nil, &NoRunError{f.Name, run, first, last}
	case 1:
		if err := errors.Join(addRunSteps(ctx, db, found[0]), addRunCoverage(ctx, db, found[0])); err != nil {
			return nil, fmt.Errorf("read run %s of job %q: %w", run, f.Name, err)
		}
		return found[0], nil
	}
	return nil, &RunHostsError{Job: f.Name, Run: run, Hosts: namesOf(found, (*Run).scope)}
}

// NewestRun is the run of a job that began last, of those that [Runs] returned and that count; nil when none does. Without a host in
// the filter it is a *[RunHostsError] when jobs of several hosts have one that counts: which is meant, nobody can tell.
func NewestRun(f JobFilter, runs []Run, counts func(*Run) bool) (*Run, error) {
	var counted []*Run
	for i := range runs {
		if counts(&runs[i]) {
			counted = append(counted, &runs[i])
		}
	}
	return newestOf(f, counted, (*Run).scope, func(r *Run) float64 { return r.Started })
}

// NewestExtent is where the job of a name was there last, of what [JobExtents] returned; nil for nothing. It fails as [NewestRun] does.
func NewestExtent(f JobFilter, extents []JobExtent) (*JobExtent, error) {
	var all []*JobExtent
	for i := range extents {
		all = append(all, &extents[i])
	}
	return newestOf(f, all, (*JobExtent).scope, func(e *JobExtent) float64 { return e.To })
}

// newestOf is the item with the latest time. With no host in the filter all must be of one job.
func newestOf[T any](f JobFilter, items []*T, scope func(*T) string, at func(*T) float64) (newest *T, err error) {
	for _, item := range items {
		if newest == nil || at(item) > at(newest) {
			newest = item
		}
	}
	if scopes := namesOf(items, scope); f.Host == "" && len(scopes) > 1 {
		return nil, &RunHostsError{Job: f.Name, Hosts: scopes}
	}
	return newest, nil
}

// namesOf are whose jobs the items are of, sorted, each once.
func namesOf[T any](items []*T, scope func(*T) string) (names []string) {
	for _, item := range items {
		names = append(names, scope(item))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// scope is whose job the run's is, as people read it.
func (r *Run) scope() string {
	if r.Fleet {
		return "fleet"
	}
	return r.Host
}

func addRunCoverage(ctx context.Context, db *DB, r *Run) (err error) {
	until := float64(time.Now().UnixNano()) / 1e9
	if r.Ended != nil {
		until = *r.Ended
	}
	r.Coverage, err = FullCoverage(ctx, db, Range{Since: r.Started, Until: until, Host: r.Host})
	return err
}
