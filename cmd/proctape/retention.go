package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// retentionFlags say how long what is recorded is kept.
type retentionFlags struct {
	fullHours, downDays, eventDays int64
	awayHours                      int64
	maxDB, maxLog                  int64
	interval                       time.Duration
}

func (f *retentionFlags) register(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&f.fullHours, "full-resolution-hours", 24, "`hours` for which snapshots are kept; then one-minute means stand in their place")
	cmd.Flags().Int64Var(&f.downDays, "downsampled-days", 7, "`days` for which the one-minute means are kept")
	cmd.Flags().Int64Var(&f.eventDays, "events-days", 30, "`days` for which events, gaps and jobs are kept")
	cmd.Flags().Int64Var(&f.awayHours, "away-hours", 0, "`hours` for which a database that stands still keeps the log from being trimmed (default: as long as the policy keeps the messages)")
	cmd.Flags().Int64Var(&f.maxDB, "max-db-mb", 0, "most `MiB` the database may take, beyond which the oldest goes before its time; 0 for no cap")
	cmd.Flags().Int64Var(&f.maxLog, "max-log-mb", 10<<10, "most `MiB` the log may take; 0 for no cap")
	cmd.Flags().DurationVar(&f.interval, "retention-interval", 10*time.Minute, "time between passes of retention")
}

// config checks the flags and makes settings of them.
func (f *retentionFlags) config() (projector.Retention, error) {
	for _, v := range []struct {
		name        string
		value       int64
		least, most int64
	}{
		{"full-resolution-hours", f.fullHours, 1, 100 * 365 * 24}, {"downsampled-days", f.downDays, 1, 100 * 365},
		{"events-days", f.eventDays, 1, 100 * 365}, {"away-hours", f.awayHours, 0, 100 * 365 * 24},
		{"max-db-mb", f.maxDB, 0, 1 << 30}, {"max-log-mb", f.maxLog, 0, 1 << 30},
	} {
		if v.value < v.least || v.value > v.most {
			return projector.Retention{}, misuse("--%s %d is out of range: want %d to %d", v.name, v.value, v.least, v.most)
		}
	}
	if f.maxLog > 0 && f.maxLog < 64 {
		return projector.Retention{}, misuse("--max-log-mb %d is out of range: want 0, or 64 to %d", f.maxLog, 1<<30)
	}
	if f.maxDB > 0 && f.maxDB < 16 {
		return projector.Retention{}, misuse("--max-db-mb %d is out of range: want 0, or 16 to %d", f.maxDB, 1<<30)
	}
	if f.interval < time.Second {
		return projector.Retention{}, misuse("--retention-interval %s is too short: want at least 1s", f.interval)
	}
	const hour = time.Hour
	return projector.Retention{
		Policy: schema.Policy{FullResolution: time.Duration(f.fullHours) * hour, Downsampled: time.Duration(f.downDays) * 24 * hour,
			Events: time.Duration(f.eventDays) * 24 * hour, MaxLogBytes: capBytes(f.maxLog)},
		Interval: f.interval, MaxBytes: f.maxDB << 20, Away: time.Duration(f.awayHours) * hour,
	}, nil
}

// capBytes is a cap in bytes; negative for none.
func capBytes(mb int64) int64 {
	if mb == 0 {
		return -1
	}
	return mb << 20
}

func retentionCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "retention", Short: "Take away what is too old, or see when that happens",
		Long: `Retention makes one-minute means of snapshots that leave full resolution, deletes what has left the
policy, trims the log as far as all its databases have it, and gives space back. A recorder does so by
itself, every ten minutes by default, at a tick of the log that all its databases share.`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(retentionRunCommand(s), retentionStatusCommand(s))
	return cmd
}

func retentionRunCommand(s *settings) *cobra.Command {
	var f retentionFlags
	l := new(listing)
	dry := false
	cmd := &cobra.Command{
		Use: "run", Short: "Make a pass now", Args: noArgs,
		Long: `Make a pass of retention now, and say what it removed. A running recorder makes it by its own policy; the
flags here are for a database that nobody writes, and for --dry-run.`,
		Example: `  proctape retention run
  proctape retention run --dry-run --full-resolution-hours 6`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			if dry {
				return s.planRetention(cmd, cfg, l.json)
			}
			return s.runRetention(cmd, cfg, l.json)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would go, and change nothing")
	l.registerJSON(cmd)
	return cmd
}

func (s *settings) planRetention(cmd *cobra.Command, cfg projector.Retention, asJSON bool) error {
	if db, err := s.openDatabase(cmd); err != nil {
		return err
	} else if err := db.Close(); err != nil {
		return err
	}
	var removed schema.Removed
	plan := func(js jetstream.JetStream) error {
		planned, err := projector.PlanRetention(cmd.Context(), js, projector.Config{DB: s.db, Retention: &cfg, Log: s.logger(cmd)})
		removed = removedBy(planned)
		return explainRead(err, s)
	}
	_, err := os.Stat(filepath.Join(s.data, "jetstream"))
	noLog := s.server == "" && errors.Is(err, os.ErrNotExist)
	if noLog {
		err = plan(nil)
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

// runRetention has the one who writes the database make a pass, or makes it when nobody does.
func (s *settings) runRetention(cmd *cobra.Command, cfg projector.Retention, asJSON bool) error {
	db, err := s.openDatabase(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	var pass query.RetentionPass
	if _, written := lockfile.Owner(projector.LockPath(s.db)); written {
		for _, name := range []string{"full-resolution-hours", "downsampled-days", "events-days", "max-db-mb", "max-log-mb", "away-hours", "retention-interval"} {
			if cmd.Flags().Changed(name) && !s.implied[name] {
				return hinted(misuse("--%s: the recorder that writes %s has its own policy", name, s.db), "give it to the recorder, or use --dry-run")
			}
		}
		pass, err = s.askRetention(cmd.Context(), db)
	} else {
		pass, err = s.ownRetention(cmd, cfg)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), []query.RetentionPass{pass})
	}
	return printPass(cmd.OutOrStdout(), pass)
}

// askRetention makes the log tick, and waits for the pass that this brings.
func (s *settings) askRetention(ctx context.Context, db *query.DB) (pass query.RetentionPass, err error) {
	nc, err := s.connect()
	if err != nil {
		return pass, err
	}
	defer nc.Close()
	js, err := jetStream(ctx, nc, schema.Policy{}, false)
	if err != nil {
		return pass, err
	}
	id, err := db.ID(ctx)
	if err != nil {
		return pass, explainRead(err, s)
	}
	// A recorder that has only just started does not hear it yet.
	if err := s.whileWritten(ctx, "interrupted", func() (bool, error) { return projector.HearsTicks(ctx, js, id) }); err != nil {
		return pass, err
	}
	asked := time.Now()
	if err := projector.AskRetention(ctx, js); err != nil {
		return pass, fmt.Errorf("ask for a pass of retention: %w", err)
	}
	err = s.whileWritten(ctx, "interrupted; the pass goes on", func() (bool, error) {
		passes, err := db.RetentionPasses(ctx, 1)
		if err != nil || len(passes) == 0 || passes[0].Started < float64(asked.UnixNano())/1e9 {
			return false, explainRead(err, s)
		}
		pass = passes[0]
		return true, nil
	})
	return pass, err
}

// whileWritten waits until done, as long as somebody writes the database and nobody interrupts.
func (s *settings) whileWritten(ctx context.Context, interrupted string, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		switch {
		case ctx.Err() != nil:
			return errors.New(interrupted)
		case ok || err != nil:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			continue
		}
		if _, written := lockfile.Owner(projector.LockPath(s.db)); !written {
			return errors.New("the recorder ended before the pass did")
		}
	}
}

// ownRetention makes a pass over a database that nobody writes.
func (s *settings) ownRetention(cmd *cobra.Command, cfg projector.Retention) (query.RetentionPass, error) {
	var done projector.Pass
	err := s.withLog(cmd, func(js jetstream.JetStream) error {
		var err error
		done, err = projector.Retain(cmd.Context(), js, projector.Config{DB: s.db, Retention: &cfg, Log: s.logger(cmd)})
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted; the next pass goes on from there")
		}
		return explainDatabase(err, s.db)
	})
	return query.RetentionPass{Started: float64(done.Started.UnixNano()) / 1e9, Finished: float64(done.Finished.UnixNano()) / 1e9,
		Asked: done.Asked, Removed: removedBy(done.Removed)}, err
}

func retentionStatusCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "status", Short: "Show the last passes, and when the next comes", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.reading(cmd, func(db *query.DB) error {
				st, err := s.retentionStatus(cmd.Context(), db)
				if err != nil {
					return err
				}
				if l.json {
					return printJSON(cmd.OutOrStdout(), []*retentionStatus{st})
				}
				return printRetentionStatus(cmd.OutOrStdout(), st)
			})
		},
	}
	l.registerJSON(cmd)
	return cmd
}

// retentionStatus is what the command shows, and prints as JSON.
type retentionStatus struct {
	Next   *float64              `json:"next"` // Unix seconds; null when nothing ticks
	Passes []query.RetentionPass `json:"passes"`
	Held   []query.OtherDatabase `json:"other_databases"`
}

func (s *settings) retentionStatus(ctx context.Context, db *query.DB) (*retentionStatus, error) {
	st := new(retentionStatus)
	var err error
	if st.Passes, err = db.RetentionPasses(ctx, 10); err != nil {
		return nil, err
	}
	if st.Held, err = db.OtherDatabases(ctx); err != nil {
		return nil, err
	}
	if _, running := embeddednats.Owner(s.data); !running && s.server == "" {
		return st, nil
	}
	nc, err := s.connect()
	if err != nil {
		return st, nil // what the database knows is still worth showing
	}
	defer nc.Close()
	js, err := jetStream(ctx, nc, schema.Policy{}, false)
	if err != nil {
		return nil, err
	}
	next, err := projector.NextRetention(ctx, js)
	if err == nil && !next.IsZero() {
		at := float64(next.UnixNano()) / 1e9
		st.Next = &at
	}
	return st, nil
}

func printRetentionStatus(w io.Writer, st *retentionStatus) error {
	switch {
	case st.Next != nil:
		fmt.Fprintf(w, "The next pass comes at %s.\n", clock(*st.Next))
	default:
		fmt.Fprintln(w, "No pass is due: no recorder runs here, or its log has no schedule.")
	}
	if len(st.Passes) == 0 {
		fmt.Fprintln(w, "No pass was made yet.")
	} else {
		t := newTable(w, "\nPASS\tTOOK\tASKED BY\tSNAPSHOTS\tMINUTES MADE\tMINUTES\tEVENTS\tPROCESSES\tJOBS\tLOG MESSAGES\tMiB BACK\tERROR")
		for _, p := range st.Passes {
			r := p.Removed
			t.row("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%s", clock(p.Started), took(p), p.Asked, r.Snapshots, r.RollupsMade, r.RollupsDeleted,
				r.Events+r.JobEvents, r.Processes, r.Jobs, r.Messages, float64(r.Bytes)/(1<<20), term.Cut(term.Safe(p.Error), 60))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(st.Held) == 0 {
		return nil
	}
	t := newTable(w, "\nOTHER DATABASE\tSTREAM\tFOLDED\tTHERE SINCE")
	for _, h := range st.Held {
		t.row("%s\t%s\t%d\t%s", h.Consumer, h.Stream, h.Acked, clock(h.Since))
	}
	return t.flush()
}

func printPass(w io.Writer, p query.RetentionPass) error {
	fmt.Fprintf(w, "Removed in %s:\n", took(p))
	printRemoved(w, p.Removed)
	if p.Error != "" {
		return fmt.Errorf("the pass did not come to its end: %s", term.Safe(p.Error))
	}
	return nil
}

func took(p query.RetentionPass) time.Duration {
	return time.Duration((p.Finished - p.Started) * 1e9).Round(time.Millisecond)
}

func printRemoved(w io.Writer, r schema.Removed) {
	for _, line := range []struct {
		n    int64
		what string
	}{
		{r.Snapshots, fmt.Sprintf("snapshots, with %d process samples; %d one-minute means in their place", r.Samples, r.RollupsMade)},
		{r.Events + r.JobEvents, "events"}, {r.Gaps, "gaps"}, {r.Quarantined, "messages in quarantine"}, {r.RollupsDeleted, "one-minute means"},
		{r.Processes, "processes"}, {r.Jobs, "jobs"}, {r.Messages, "messages of the log"},
		{r.LeftBehind, "other databases that the log no longer waits for"},
	} {
		fmt.Fprintf(w, "  %8d %s\n", line.n, line.what)
	}
	if r.Bytes > 0 {
		fmt.Fprintf(w, "  %8.1f MiB of the database file\n", float64(r.Bytes)/(1<<20))
	}
}

// removedBy is what projector counts, in the contract's type.
func removedBy(r projector.Removed) schema.Removed {
	return schema.Removed{RollupsMade: r.Rollups, Snapshots: r.Snapshots, Samples: r.Samples, Events: r.Events, JobEvents: r.JobEvents, Gaps: r.Gaps,
		Quarantined: r.Quarantined, RollupsDeleted: r.Minutes, Processes: r.Processes, Jobs: r.Jobs, Messages: r.Messages, Bytes: r.Bytes, LeftBehind: r.LeftBehind}
}
