package query

import (
	"context"
	"errors"
	"fmt"
)

// CompleteRun adds to a run that [Runs] returned what only [FindRun] reads: its steps, and how much is known of its time.
func CompleteRun(ctx context.Context, db *DB, r *Run) error {
	if err := errors.Join(addRunSteps(ctx, db, r), addRunCoverage(ctx, db, r)); err != nil {
		return fmt.Errorf("read run %d of job %q: %w", r.Number, r.JobID, err)
	}
	return nil
}

// AddSteps reads the steps of a run that [Runs] returned.
func AddSteps(ctx context.Context, db *DB, r *Run) error {
	if err := addRunSteps(ctx, db, r); err != nil {
		return fmt.Errorf("read the steps of run %d of job %q: %w", r.Number, r.JobID, err)
	}
	return nil
}
