package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
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
the result. Rows are named by who produced them, so the order in which they came does not matter.

Exit codes: 0 not damaged, and equal where something was compared; 1 damaged, or failed; 2 wrong use;
3 the log lost messages that the database has; 4 equal, but behind: not all of the log is folded;
5 different. What retention trimmed from the log is no loss.`,
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
			return errors.Join(unlessGone(err), verdict(r))
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "compare with this database `file`")
	cmd.Flags().BoolVar(&replay, "replay", false, "compare with the log, which is projected again")
	l.registerJSON(cmd)
	return cmd
}

// verdictError is what verify found that is not well, with its exit code.
type verdictError struct {
	error
	code int
}

func (e *verdictError) Unwrap() error { return e.error }

// The exit codes of verify that other commands do not have.
const (
	exitLoss      = 3
	exitBehind    = 4
	exitDifferent = 5
)

// verdict is the result as the command's error.
func verdict(r *verify.Result) error {
	switch r.Verdict {
	case verify.Damaged:
		return hinted(fmt.Errorf("%s is damaged", r.Database), `rebuild it from the log with "proctape replay --db NEW"`)
	case verify.Lost:
		if onlyAtEnds(r) {
			return hinted(&verdictError{errors.New("the log lost messages before they were folded"), exitLoss},
				`"proctape gaps --kind end_lost" says which`)
		}
		return hinted(&verdictError{fmt.Errorf("the log lost messages that %s has", r.Database), exitLoss},
			"keep the database: it is the only place that has them")
	case verify.Behind:
		return hinted(&verdictError{fmt.Errorf("%s is %s", r.Database, lagText(r)), exitBehind},
			`fold the rest with "proctape up" or "proctape project"`)
	case verify.Different:
		return &verdictError{fmt.Errorf("%s differs from %s", r.Database, r.Against), exitDifferent}
	}
	return nil
}

// onlyAtEnds reports whether all that was lost was lost before any database had it.
func onlyAtEnds(r *verify.Result) bool {
	return !slices.ContainsFunc(r.Losses, func(l verify.Loss) bool { return l.Stream != "" })
}

// lagText says who is behind, and by how much.
func lagText(r *verify.Result) string {
	var behind, ahead int64
	for _, n := range r.Lag {
		behind += max(n, 0)
		ahead += max(-n, 0)
	}
	switch {
	case ahead == 0:
		return fmt.Sprintf("behind %s by %d messages", r.Against, behind)
	case behind == 0:
		return fmt.Sprintf("ahead of %s by %d messages", r.Against, ahead)
	}
	return fmt.Sprintf("behind %s by %d messages and ahead of it by %d", r.Against, behind, ahead)
}

// comparedLog is the log as verify reads it.
type comparedLog struct {
	cmd *cobra.Command
	s   *settings
	js  jetstream.JetStream

	hosts []string // that the database is of; nil for all
}

// Streams implements [verify.Log].
func (l *comparedLog) Streams(ctx context.Context) (map[string]*query.LogStream, error) {
	return query.LogStreams(ctx, l.js)
}

// Replay implements [verify.Log].
func (l *comparedLog) Replay(ctx context.Context, path string, until map[string]uint64) error {
	show, finish := replayProgress(l.cmd.ErrOrStderr())
	defer finish()
	_, err := projector.Replay(ctx, l.js, projector.ReplayConfig{DB: path, Hosts: l.hosts, UntilSequence: until, LackStreams: true, Progress: show, Log: l.s.logger(l.cmd)})
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// compareDatabase compares the database with the one at a path, or with the log.
func compareDatabase(cmd *cobra.Command, s *settings, against string, replay bool) (r *verify.Result, err error) {
	if against, err = expandHome(against); err != nil {
		return nil, err
	}
	cfg := verify.Config{Database: s.db, Against: against}
	if !replay {
		r, err = verify.Compare(cmd.Context(), cfg)
		return r, explainRead(err, s)
	}
	var hosts []string
	err = s.withDatabase(cmd, func(db *query.DB) error { // before a server is started for the log
		held, err := db.HostsHeld(cmd.Context())
		if held != "" {
			hosts = strings.Split(held, ",")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.withLog(cmd, func(ctx context.Context, js jetstream.JetStream) (err error) {
		cfg.Log = &comparedLog{cmd, s, js, hosts}
		r, err = verify.Compare(ctx, cfg)
		return err
	})
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
	printNotCompared(out, r)
	switch r.Verdict {
	case verify.Sound:
		fmt.Fprintln(out, "\nThe file is not damaged.")
	case verify.Equal:
		fmt.Fprintf(out, "\nEqual: the file is not damaged, and it holds what %s holds.\n", r.Against)
	case verify.Lost:
		if !onlyAtEnds(r) {
			fmt.Fprintln(out, "\nLoss: the log does not have all that the database holds. What both have is equal.")
			break
		}
		fmt.Fprintln(out, "\nLoss: the log lost what no database has. What both have is equal.")
	case verify.Behind:
		fmt.Fprintf(out, "\nBehind: what both have folded is equal; the database is %s.\n", lagText(r))
	case verify.Different:
		fmt.Fprintf(out, "\nDifferent from %s in:\n", r.Against)
		t := newTable(out, "TABLE\tHOST\tDAY\tROWS\tTHERE")
		for _, d := range r.Differences {
			t.row("%s\t%s\t%s\t%d\t%d", d.Table, dashIfEmpty(d.Host), dashIfEmpty(d.Day), d.Rows, d.Against)
		}
		return t.flush()
	}
	return nil
}

// printNotCompared says what the log lost, and what could not be compared.
func printNotCompared(out io.Writer, r *verify.Result) {
	for _, l := range r.Losses {
		if l.Stream == "" {
			fmt.Fprintf(out, "\nLost: %s: %s\n", l.What, atLeast(l.AtLeast, "items", wholeNumber(l.Items)))
			continue
		}
		fmt.Fprintf(out, "\nLost: %s: %s; at least %d messages\n", l.Stream, l.What, l.Messages)
	}
	if r.NotCompared != nil {
		fmt.Fprintf(out, "\nThe log does not have all that the database has: %d snapshots and %d events are older, or lost. Retention has\n"+
			"deleted %d from the database that the log still has. Neither these nor what spans them (processes, older jobs,\nbalances) were compared.\n",
			r.NotCompared.Snapshots, r.NotCompared.Events, r.NotCompared.Expired)
	}
}
