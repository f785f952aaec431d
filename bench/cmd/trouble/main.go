// Command trouble makes mixed trouble on this machine, for a recorder to see and for people to ask about: a pipeline that succeeds and
// then runs out of memory in a step, a leak, a CPU hog, a fork storm, a crash loop, zombies, and daemons that outlive their job. It prints
// what it did as JSON, one deed a line, so that answers can be checked against it.
//
// It kills nothing but what it started, and its memory is bounded: a leak of -mib, and a step within a control group of half of that.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == roleWord {
		if err := play(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "trouble:", err)
			os.Exit(failedRole)
		}
		return
	}
	t := &troublemaker{}
	flag.StringVar(&t.proctape, "proctape", "bin/proctape", "the `program` that runs the jobs")
	flag.StringVar(&t.data, "data", "run-data", "the data `folder` of the recorder that runs")
	flag.DurationVar(&t.lasts, "for", time.Hour, "how long to make trouble; less than a minute is the short form, of one round")
	flag.IntVar(&t.mib, "mib", 192, "how much memory the leak takes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := t.make(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "trouble:", err)
		os.Exit(1)
	}
}

// make makes trouble round after round. A round takes six seconds in the short form, and ten minutes in the long one.
func (t *troublemaker) make(ctx context.Context) error {
	end, round := time.Now().Add(t.lasts), 6*time.Second
	if t.lasts >= time.Minute {
		round = min(10*time.Minute, t.lasts)
	}
	defer t.endDaemons()
	for first := true; first || time.Now().Before(end) && ctx.Err() == nil; first = false {
		if err := t.round(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// round makes each kind of trouble once: one run of the pipeline that succeeds, the troubles beside one another, then a run that fails.
func (t *troublemaker) round(ctx context.Context, length time.Duration) error {
	if err := t.pipeline(ctx, false); err != nil {
		return err
	}
	acts := []func(context.Context, time.Duration) error{t.leak, t.hog, t.forks, t.crashes, t.zombies, t.daemons}
	failed := make(chan error, len(acts))
	for _, act := range acts {
		go func() { failed <- act(ctx, length) }()
	}
	var err error
	for range acts {
		if e := <-failed; e != nil && err == nil {
			err = e
		}
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	return t.pipeline(ctx, true)
}
