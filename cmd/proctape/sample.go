package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/run"
)

func sampleCommand(s *settings) *cobra.Command {
	f := new(samplingFlags)
	cmd := &cobra.Command{
		Use: "sample", Short: "Sample this machine into a log that another process keeps", Args: noArgs,
		Long: `Sample this machine and publish the samples to a log that another process keeps: a recorder with --listen,
or a NATS server with JetStream, 2.14 or later. Without --server that is the recorder on this machine. The
recorder's "proctape hosts add" makes the key.

While the log cannot be reached, from the start on or later, what is sampled waits on disk in the data folder, for
--spool-hours and up to --spool-mb; then the oldest goes and is counted. It is published when the log is there
again, each message once (docs/nats.md).`,
		Example: `  proctape sample --server nats://127.0.0.1:4222 --creds build-07.nk --host build-07`,
		RunE: untilStopped(func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(cmd, s)
			if err != nil {
				return err
			}
			if s.checksOnly {
				return checkServer(s)
			}
			ctx, fail := context.WithCancelCause(cmd.Context())
			defer fail(nil)
			nc, err := connectInTime(s, cmd, fail)
			if err != nil {
				return err
			}
			defer nc.Close()
			w := newWorking(cmd, s)
			cfg.Log, cfg.Trouble, cfg.MaxQueue = w.log, w.trouble, w.memory.queue()
			w.watchProducer(&cfg)
			p, err := producer.New(nc, cfg)
			if err != nil {
				return explainProducer(err)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "proctape is sampling %s every %s into %s. Ctrl-C stops it.\n", p.Host(), p.Interval(), cmp.Or(servers(s.server).String(), "the recorder on "+s.data))
			printCapabilities(out, p.Capabilities())
			w.sampler.Store(p)
			defer s.reloads(cmd.ErrOrStderr(), w.notify, nil)()
			defer w.ready(ctx)()
			began := time.Now()
			err = unlessKept(withRefusals(ctx, nc, s.creds, func(ctx context.Context) error {
				return runStages(ctx, stage{"watchdog", w.watched.run}, stage{"control groups of runs", run.RemoveLeftGroups}, otherServers(nc, w.trouble), stage{"producer", p.Run})
			}))
			printSampled(out, p.Stats(), time.Since(began))
			if cmd.Context().Err() == nil && ctx.Err() != nil {
				err = errors.Join(context.Cause(ctx), err)
			}
			return err
		}),
	}
	f.register(cmd)
	return cmd
}

// printSampled says what became of what was sampled.
func printSampled(out io.Writer, made publish.Stats, took time.Duration) {
	fmt.Fprintf(out, "\nStopped after %s. %d items were made, %d acknowledged by the log, %d lost.\n",
		took.Round(time.Second), made.Produced, made.Acked, made.Produced-made.Acked-made.Left)
	if made.Left > 0 {
		fmt.Fprintf(out, "The log did not answer: %d items wait on disk, and the next sampler or recorder of this host publishes them.\n", made.Left)
	}
}
