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

// RunHostsError says that several jobs of a name have a run of the number that was asked for.
type RunHostsError struct {
	Job, Run string
	Hosts    []string // whose jobs they are, sorted; "fleet" for the fleet's
}

func (e *RunHostsError) Error() string {
	return fmt.Sprintf("run %s of job %q is several: of %s", e.Run, e.Job, strings.Join(e.Hosts, ", "))
}

// FindRun returns one run of a job with its steps, by its number within the job or by its id. It is a *[NoRunError] when there is
// none, and a *[RunHostsError] when several hosts have a job of the name with a run of that number.
func FindRun(ctx context.Context, db *DB, f JobFilter, run string) (*Run, error) {
	runs, err := Runs(ctx, db, f)
	if err != nil {
		return nil, err
	}
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
	several := &RunHostsError{Job: f.Name, Run: run}
	for _, r := range found {
		several.Hosts = append(several.Hosts, r.scope())
	}
	slices.Sort(several.Hosts)
	return nil, several
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
