package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/run"
)

func sampleCommand(s *settings) *cobra.Command {
	f := new(samplingFlags)
	cmd := &cobra.Command{
		Use: "sample", Short: "Sample this machine into a log that another process keeps", Args: noArgs,
		Long: `Sample this machine and publish the samples to a log that another process keeps: a recorder with --listen,
or a NATS server with JetStream, 2.14 or later. Without --server that is the recorder on this machine. The
recorder's "proctape hosts add" makes the key.`,
		Example: `  proctape sample --server nats://127.0.0.1:4222 --creds build-07.nk --host build-07`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(cmd, s)
			if err != nil {
				return err
			}
			if s.checksOnly {
				return checkServer(s)
			}
			nc, err := awaitServer(s, cmd)
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
			defer w.ready(cmd.Context())()
			began := time.Now()
			err = withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error {
				return runStages(ctx, stage{"watchdog", w.watched.run}, stage{"control groups of runs", run.RemoveLeftGroups}, stage{"producer", p.Run})
			})
			made := p.Stats()
			fmt.Fprintf(out, "\nStopped after %s. %d items were made, %d acknowledged by the log, %d lost.\n",
				time.Since(began).Round(time.Second), made.Produced, made.Acked, made.Produced-made.Acked-made.Left)
			if made.Left > 0 {
				fmt.Fprintf(out, "%d items wait on disk for the next start.\n", made.Left)
			}
			return err
		},
	}
	f.register(cmd)
	return cmd
}
