package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
)

func replayCommand(s *settings) *cobra.Command {
	var files fileFlags
	var from, until timeText
	var hosts []string
	cmd := &cobra.Command{
		Use: "replay --db NEW", Short: "Project the whole log into a new database", Args: noArgs,
		Long: `Project the whole log into a new database, while a recorder runs or when none does. The same log gives the
same database. A replay that was interrupted goes on where it stopped; any other database that exists
is refused. --from and --until replay a part of the log, by the time at which the log stored a message.`,
		Example: `  proctape replay --db fresh.db
  proctape replay --data /mnt/backup/proctape --db fresh.db --ndjson ./files`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("db") {
				return hinted(misuse("replay needs --db, the database to make"), "for example: proctape replay --db fresh.db")
			}
			if err := files.check(); err != nil {
				return err
			}
			dir, err := files.folder()
			if err != nil {
				return err
			}
			cfg := projector.ReplayConfig{DB: s.db, NDJSON: dir, FileName: files.name, FileLimit: files.limit, FilesOfOthers: files.rotate == rotateNever, Memory: s.memory.projector(), Log: s.logger(cmd)}
			if cfg.Hosts, err = checkHosts(hosts); err != nil {
				return err
			}
			now := time.Now()
			if cfg.From, err = timeFlag("from", string(from), now); err != nil {
				return err
			}
			if cfg.Until, err = timeFlag("until", string(until), now); err != nil {
				return err
			}
			if err := checkOrder("from", cfg.From, cfg.Until); err != nil {
				return err
			}
			return s.withLog(cmd, func(ctx context.Context, js jetstream.JetStream) error { return replay(ctx, cmd, s, js, cfg) })
		},
	}
	cmd.Flags().Var(&from, "from", "begin at this `time`")
	cmd.Flags().Var(&until, "until", "end before this `time`")
	files.register(cmd)
	registerHosts(cmd, &hosts)
	return cmd
}

func replay(ctx context.Context, cmd *cobra.Command, s *settings, js jetstream.JetStream, cfg projector.ReplayConfig) error {
	var finish func()
	cfg.Progress, finish = replayProgress(cmd.ErrOrStderr())
	r, err := projector.Replay(ctx, js, cfg)
	finish()
	switch {
	case errors.Is(err, projector.ErrNotFresh):
		return hinted(err, "name a file that does not exist")
	case errors.Is(err, context.Canceled):
		return hinted(fmt.Errorf("interrupted after %d messages", r.Messages), "the same command goes on from there")
	case err != nil:
		return explainDatabase(err, s.db)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Projected %d messages into %s in %s: %d snapshots, %d process samples (%.0f a second), %d events.\n",
		r.Messages, s.db, r.Took.Round(time.Millisecond), r.Snapshots, r.Processes, float64(r.Processes)/r.Took.Seconds(), r.Events)
	if r.Quarantined > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d messages could not be read and are in quarantine.\n", r.Quarantined)
	}
	return nil
}
