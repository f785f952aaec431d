package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query/verify"
)

func verifyCommand(s *settings) *cobra.Command {
	var against string
	var replay bool
	l := new(listing)
	cmd := &cobra.Command{
		Use: "verify", Short: "Check a database, and prove that it is what the log says", Args: noArgs,
		Long: `Check a database for damage and hash what it holds, by table, host and day. --against compares it with
another database. --replay projects the log again, up to this database's checkpoints, and compares with
the result. Rows are named by who produced them, so the order in which they came does not matter. The
exit code is 1 when the two differ.`,
		Example: `  proctape verify --replay
  proctape verify --db monitor.db --against fresh.db`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if against != "" && replay {
				return misuse("--against and --replay cannot be combined")
			}
			r, err := compareDatabase(cmd, s, against, replay)
			if err != nil {
				return err
			}
			if l.json {
				err = printJSON(cmd.OutOrStdout(), []*verify.Result{r})
			} else {
				err = printVerification(cmd, r)
			}
			return errors.Join(err, verdict(r))
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "compare with this database `file`")
	cmd.Flags().BoolVar(&replay, "replay", false, "compare with the log, which is projected again")
	l.registerJSON(cmd)
	return cmd
}

// verdict is the result as the command's error.
func verdict(r *verify.Result) error {
	switch {
	case len(r.Damage) > 0:
		return hinted(fmt.Errorf("%s is damaged", r.Database), `rebuild it from the log with "proctape replay --db NEW"`)
	case r.Equal != nil && !*r.Equal:
		return fmt.Errorf("%s differs from %s", r.Database, r.Against)
	}
	return nil
}

// compareDatabase compares the database with the one at a path, or with the log.
func compareDatabase(cmd *cobra.Command, s *settings, against string, replay bool) (*verify.Result, error) {
	against, err := expandHome(against)
	if err != nil {
		return nil, err
	}
	cfg := verify.Config{Database: s.db, Against: against}
	if replay {
		cfg.Replay = func(ctx context.Context, path string, until map[string]uint64) (trimmed bool, err error) {
			err = s.withLog(cmd, func(ctx context.Context, js jetstream.JetStream) error {
				if trimmed, err = projector.IsTrimmed(ctx, js); err != nil {
					return err
				}
				show, finish := replayProgress(cmd.ErrOrStderr())
				defer finish()
				_, err := projector.Replay(ctx, js, projector.ReplayConfig{DB: path, UntilSequence: until, Progress: show, Log: s.logger(cmd)})
				if errors.Is(err, context.Canceled) {
					return errors.New("interrupted")
				}
				return err
			})
			return trimmed, err
		}
	}
	r, err := verify.Compare(cmd.Context(), cfg)
	return r, explainRead(err, s)
}

func printVerification(cmd *cobra.Command, r *verify.Result) error {
	out := cmd.OutOrStdout()
	for _, d := range r.Damage {
		fmt.Fprintf(out, "damage: %s\n", printable(d))
	}
	if len(r.Damage) > 0 {
		return nil
	}
	t := newTable(out, "TABLE\tROWS\tHASH")
	for _, name := range slices.Sorted(maps.Keys(r.Tables)) {
		t.row("%s\t%d\t%s", name, r.Tables[name].Rows, r.Tables[name].Hash)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if r.NotCompared != nil {
		fmt.Fprintf(out, "\nThe log begins later than the database: %d snapshots and %d events are older. Retention has deleted %d from\n"+
			"the database that the log still has. Neither these nor what spans them (processes, older jobs, balances)\nwere compared.\n",
			r.NotCompared.Snapshots, r.NotCompared.Events, r.NotCompared.Expired)
	}
	switch {
	case r.Equal == nil:
		fmt.Fprintln(out, "\nThe file is not damaged.")
	case *r.Equal:
		fmt.Fprintf(out, "\nEqual: the file is not damaged, and it holds what %s holds.\n", r.Against)
	default:
		fmt.Fprintf(out, "\nDifferent from %s in:\n", r.Against)
		t := newTable(out, "TABLE\tHOST\tDAY\tROWS\tTHERE")
		for _, d := range r.Differences {
			t.row("%s\t%s\t%s\t%d\t%d", d.Table, dashIfEmpty(d.Host), dashIfEmpty(d.Day), d.Rows, d.Against)
		}
		return t.flush()
	}
	return nil
}
