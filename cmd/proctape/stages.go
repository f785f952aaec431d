package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// stage is one long-running part of the pipeline. run works until ctx ends, drains what it holds, and returns.
type stage struct {
	name string
	run  func(ctx context.Context) error
}

// runStages runs stages in the order of the pipeline, sink first. When ctx ends, or any stage returns, it stops them
// one at a time from the source on, so that each drains into a neighbour that still runs.
func runStages(ctx context.Context, stages ...stage) error {
	ctx, end := context.WithCancel(ctx)
	defer end()

	type running struct {
		stop context.CancelFunc
		done chan error
	}
	var up []running
	for _, s := range stages {
		stageCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := running{stop, make(chan error, 1)}
		go func() {
			defer end()
			if err := s.run(stageCtx); err != nil {
				r.done <- fmt.Errorf("%s: %w", s.name, err)
			}
			close(r.done)
		}()
		up = append(up, r)
	}

	<-ctx.Done()
	var errs []error
	for _, r := range slices.Backward(up) {
		r.stop()
		errs = append(errs, <-r.done)
	}
	return errors.Join(errs...)
}
