package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// verification is what verify found, and prints as JSON.
type verification struct {
	Database    string               `json:"database"`
	Against     string               `json:"against,omitempty"`
	Damage      []string             `json:"damage"`
	Tables      map[string]tableHash `json:"tables"`
	Equal       *bool                `json:"equal,omitempty"`
	Differences []query.Difference   `json:"differences,omitempty"`
	Older       *query.Older         `json:"older_than_the_log,omitempty"` // not compared, nor what spans it
}

type tableHash struct {
	Rows int64  `json:"rows"`
	Hash string `json:"hash"`
}

func verifyCommand(s *settings) *cobra.Command {
	var against string
	var replay bool
	l := new(listing)
	cmd := &cobra.Command{
		Use: "verify", Short: "Prove that a database is what the log says", Args: noArgs,
		Long: `Check a database and hash what it holds, by table, host and day. --against compares it with another
database; --replay folds the log anew, as far as this database has, and compares with that. Rows
are named by who produced them, so that the order in which they came does not matter. Exits with
1 when they differ.`,
		Example: `  proctape verify --replay
  proctape verify --db monitor.db --against fresh.db`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if against != "" && replay {
				return misuse("--against and --replay exclude each other")
			}
			v, err := s.verify(cmd, against, replay)
			if err != nil {
				return err
			}
			if l.json {
				err = printJSON(cmd.OutOrStdout(), []*verification{v})
			} else {
				err = printVerification(cmd, v)
			}
			return errors.Join(err, v.err())
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "compare with this database `file`")
	cmd.Flags().BoolVar(&replay, "replay", false, "compare with a new fold of the log")
	l.registerJSON(cmd)
	return cmd
}

// err is the verdict as the command's result.
func (v *verification) err() error {
	switch {
	case len(v.Damage) > 0:
		return hinted(fmt.Errorf("%s is damaged", v.Database), `rebuild it from the log with "proctape replay --db NEW"`)
	case v.Equal != nil && !*v.Equal:
		return fmt.Errorf("%s differs from %s", v.Database, v.Against)
	}
	return nil
}

// verify hashes the database, or a copy of it when somebody writes it, so that what is compared stands still.
func (s *settings) verify(cmd *cobra.Command, against string, replay bool) (*verification, error) {
	ctx := cmd.Context()
	if db, err := s.openDatabase(cmd); err != nil { // before anything is made
		return nil, err
	} else if err := db.Close(); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(s.db), ".verify-")
	if err != nil {
		return nil, explainRead(fmt.Errorf("make a folder for copies: %w", err), s)
	}
	defer os.RemoveAll(tmp)
	db, err := s.still(cmd, s.db, filepath.Join(tmp, "a.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	v := &verification{Database: s.db, Against: against, Tables: map[string]tableHash{}}
	if v.Damage, err = db.Check(ctx); err != nil {
		return nil, explainRead(err, s)
	}
	if len(v.Damage) > 0 {
		return v, nil
	}
	content, err := db.Content(ctx)
	if err != nil {
		return nil, explainRead(err, s)
	}
	for table, h := range content.Tables() {
		v.Tables[table] = tableHash{h.Rows, h.String()}
	}
	if against == "" && !replay {
		return v, nil
	}
	other, trimmed, err := s.other(cmd, db, tmp, against, replay)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	if replay {
		v.Against = "the log"
	}
	theirs, err := other.Content(ctx)
	if err != nil {
		return nil, explainRead(err, s)
	}
	v.Differences = content.Diff(theirs)
	if replay && len(v.Differences) > 0 { // a log that was trimmed cannot give what is older
		mine, theirs, older, err := db.Shared(ctx, other)
		if err != nil {
			return nil, explainRead(err, s)
		}
		if trimmed || older != (query.Older{}) {
			v.Older, v.Differences = &older, mine.Diff(theirs)
		}
	}
	equal := len(v.Differences) == 0
	v.Equal = &equal
	return v, nil
}

// still opens a database that nobody writes: the one at path, or a copy of it.
func (s *settings) still(cmd *cobra.Command, path, copyTo string) (*query.DB, error) {
	db, err := query.Open(cmd.Context(), path)
	if err != nil {
		return nil, explainRead(err, s)
	}
	if _, written := lockfile.Owner(projector.LockPath(path)); !written {
		return db, nil
	}
	defer db.Close()
	if err := db.Snapshot(cmd.Context(), copyTo); err != nil {
		return nil, explainRead(err, s)
	}
	return query.Open(cmd.Context(), copyTo)
}

// other is the database to compare with, and whether it was made of a log that no longer has its beginning.
func (s *settings) other(cmd *cobra.Command, db *query.DB, tmp, against string, replay bool) (other *query.DB, trimmed bool, err error) {
	if !replay {
		path, err := expand(against)
		if err != nil {
			return nil, false, err
		}
		other, err = s.still(cmd, path, filepath.Join(tmp, "b.db"))
		return other, false, err
	}
	path := filepath.Join(tmp, "replay.db")
	checkpoints, err := db.Checkpoints(cmd.Context())
	if err != nil {
		return nil, false, err
	}
	until := map[string]uint64{}
	for _, c := range checkpoints {
		until[c.Stream] = uint64(c.Seq)
	}
	err = s.withLog(cmd, func(js jetstream.JetStream) error {
		if trimmed, err = isTrimmed(cmd.Context(), js); err != nil {
			return err
		}
		return foldOnce(cmd, js, projector.Config{DB: path, Once: true, Until: until, Log: s.logger(cmd)})
	})
	if err != nil {
		return nil, false, err
	}
	other, err = query.Open(cmd.Context(), path)
	return other, trimmed, err
}

// isTrimmed reports whether the log no longer has its beginning.
func isTrimmed(ctx context.Context, js jetstream.JetStream) (bool, error) {
	for _, name := range schema.DataStreams {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return false, fmt.Errorf("stream %s: %w", name, err)
		}
		if stream.CachedInfo().State.FirstSeq > 1 {
			return true, nil
		}
	}
	return false, nil
}

// foldOnce folds the log once, showing how far it is.
func foldOnce(cmd *cobra.Command, js jetstream.JetStream, cfg projector.Config) error {
	p, err := projector.Open(cmd.Context(), js, cfg)
	if err != nil {
		return err
	}
	stop := showProgress(cmd.ErrOrStderr(), p)
	defer stop()
	err = p.Run(cmd.Context())
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

func printVerification(cmd *cobra.Command, v *verification) error {
	out := cmd.OutOrStdout()
	for _, d := range v.Damage {
		fmt.Fprintf(out, "damage: %s\n", command(d))
	}
	if len(v.Damage) > 0 {
		return nil
	}
	t := newTable(out, "TABLE\tROWS\tHASH")
	for _, name := range slices.Sorted(maps.Keys(v.Tables)) {
		t.row("%s\t%d\t%s", name, v.Tables[name].Rows, v.Tables[name].Hash)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if v.Older != nil {
		fmt.Fprintf(out, "\nThe log begins later than the database: %d snapshots and %d events are older. Retention has taken %d from\n"+
			"the database that the log still has. Neither these nor what spans them (processes, older jobs, the books)\nwere compared.\n",
			v.Older.Snapshots, v.Older.Events, v.Older.Expired)
	}
	switch {
	case v.Equal == nil:
		fmt.Fprintln(out, "\nThe file is sound.")
	case *v.Equal:
		fmt.Fprintf(out, "\nEqual: the file is sound, and holds what %s holds.\n", v.Against)
	default:
		fmt.Fprintf(out, "\nDifferent from %s in:\n", v.Against)
		t := newTable(out, "TABLE\tHOST\tDAY\tROWS\tTHERE")
		for _, d := range v.Differences {
			t.row("%s\t%s\t%s\t%d\t%d", d.Table, dash(d.Host), dash(d.Day), d.Rows, d.Against)
		}
		return t.flush()
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
