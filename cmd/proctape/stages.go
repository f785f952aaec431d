package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer/publish"
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

// untilStopped is the work of a command that goes on until it is stopped. A stop that comes while it still starts is a stop, and no failure.
func untilStopped(work func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := work(cmd, args)
		if err == nil || cmd.Context().Err() == nil || !onlyStopped(err) {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "Stopped while it was starting.")
		return nil
	}
}

// onlyStopped reports whether an error says that the context ended, and nothing else.
func onlyStopped(err error) bool {
	return onlySays(err, func(err error) bool { return err == context.Canceled })
}

// unlessKept returns an error, unless all that it says is that what the log did not take waits on disk: nothing is lost.
func unlessKept(err error) error {
	if err == nil || onlySays(err, func(err error) bool {
		left, ok := err.(*publish.LeftError)
		return ok && left.Kept
	}) {
		return nil
	}
	return err
}

// onlySays reports whether all that an error consists of is of a kind.
func onlySays(err error, kind func(error) bool) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !onlySays(err, kind) })
	case interface{ Unwrap() error }:
		return e.Unwrap() != nil && onlySays(e.Unwrap(), kind)
	}
	return kind(err)
}
