package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

func retentionRunCommand(s *settings) *cobra.Command {
	var f retentionFlags
	l := new(listing)
	var rules ruleFlags
	dry := false
	cmd := &cobra.Command{
		Use: "run", Short: "Make a pass of retention now", Args: noArgs,
		Long: `Make a pass of retention now, and say what it removed. When a recorder writes the database, the recorder
makes the pass, by its own policy. The flags here are for a database that nobody writes, and for
--dry-run.`,
		Example: `  proctape retention run
  proctape retention run --dry-run --full-resolution-hours 6`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			watch, err := rules.compile()
			if err != nil {
				return err
			}
			if dry {
				return planRetention(cmd, s, cfg, l.json)
			}
			return runRetention(cmd, s, cfg, watch, l.json)
		},
	}
	f.register(cmd)
	rules.register(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and change nothing")
	l.registerJSON(cmd)
	return cmd
}

// planRetention says what a pass would remove.
func planRetention(cmd *cobra.Command, s *settings, cfg retention.Settings, asJSON bool) error {
	if err := s.checkDatabase(cmd); err != nil {
		return err
	}
	var removed schema.Removed
	plan := func(ctx context.Context, js jetstream.JetStream) error {
		var err error
		removed, err = retention.Plan(ctx, retention.Config{Path: s.db, Settings: cfg, JS: js, Log: s.logger(cmd)})
		return explainRead(err, s)
	}
	_, err := os.Stat(filepath.Join(s.data, "jetstream"))
	noLog := s.server == "" && errors.Is(err, os.ErrNotExist)
	if noLog {
		err = plan(cmd.Context(), nil)
	} else {
		err = s.withLog(cmd, plan)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), []schema.Removed{removed})
	}
	fmt.Fprintln(cmd.OutOrStdout(), "A pass now would remove:")
	printRemoved(cmd.OutOrStdout(), removed)
	if noLog {
		fmt.Fprintln(cmd.OutOrStdout(), "There is no log here to trim.")
	}
	return nil
}

// runRetention has the recorder that writes the database make a pass, or makes it when nobody writes the database.
func runRetention(cmd *cobra.Command, s *settings, cfg retention.Settings, watch *anomaly.Rules, asJSON bool) error {
	if err := s.checkDatabase(cmd); err != nil {
		return err
	}
	var pass query.RetentionPass
	var err error
	if _, written := lockfile.DatabaseOwner(s.db); written {
		for _, name := range []string{"full-resolution-hours", "downsampled-days", "events-days", "runs-days", "max-db-mb", "max-log-mb", "away-hours", "retention-interval"} {
			if cmd.Flags().Changed(name) && !s.fromElsewhere[name] {
				return hinted(misuse("--%s: the recorder that writes %s has its own policy", name, s.db), "set it at the recorder, or use --dry-run")
			}
		}
		pass, err = askRetention(cmd.Context(), s)
	} else {
		pass, err = makePass(cmd, s, cfg, watch)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), []query.RetentionPass{pass})
	}
	return printPass(cmd.OutOrStdout(), pass)
}

// askRetention has the recorder that writes the database make a pass.
func askRetention(ctx context.Context, s *settings) (query.RetentionPass, error) {
	nc, err := s.connect()
	if err != nil {
		return query.RetentionPass{}, err
	}
	defer nc.Close()
	js, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return query.RetentionPass{}, err
	}
	var asked retention.AskedPass
	err = withRefusals(ctx, nc, s.creds, func(ctx context.Context) (err error) {
		asked, err = retention.Ask(ctx, js, s.db)
		return err
	})
	switch {
	case errors.Is(err, retention.ErrPassGoesOn) && ctx.Err() != nil:
		return query.RetentionPass{}, errors.New("interrupted; the pass goes on")
	case err != nil && ctx.Err() != nil:
		return query.RetentionPass{}, errors.New("interrupted")
	case errors.Is(err, retention.ErrNobodyWrites):
		return query.RetentionPass{}, errors.New("the recorder ended before the pass did")
	}
	pass := passOf(asked.Pass)
	pass.Error = asked.Failure
	return pass, explainRead(err, s)
}

// makePass makes a pass over a database that nobody writes.
func makePass(cmd *cobra.Command, s *settings, cfg retention.Settings, watch *anomaly.Rules) (query.RetentionPass, error) {
	var done retention.Pass
	err := s.withLog(cmd, func(ctx context.Context, js jetstream.JetStream) error {
		var err error
		done, err = projector.Retain(ctx, js, projector.Config{DB: s.db, Retention: &cfg, Rules: watch, Log: s.logger(cmd)})
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted; the next pass goes on from there")
		}
		return explainDatabase(err, s.db)
	})
	return passOf(done), err
}
