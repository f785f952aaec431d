package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
)

func projectCommand(s *settings) *cobra.Command {
	var files fileFlags
	var retention retentionFlags
	cmd := &cobra.Command{
		Use: "project", Short: "Fold a log into a database of its own", Args: noArgs,
		Long: `Fold the log of a NATS server, or of the recorder on this machine, into a database, and go on as it
grows. Any number of databases can follow one log; each has its own place in it.`,
		Example: `  proctape project --server nats://127.0.0.1:4222 --creds admin.nk --db second.db
  proctape project --db second.db --ndjson ./files`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			keep, err := retention.config()
			if err != nil {
				return err
			}
			nc, err := s.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			js, err := jetStream(ctx, nc, keep.Policy, s.server != "")
			if err != nil {
				return err
			}
			cfg, err := files.config(s, cmd)
			if err != nil {
				return err
			}
			cfg.Retention = &keep
			p, err := projector.Open(ctx, js, cfg)
			if err != nil {
				return explainDatabase(err, s.db)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "proctape is folding the log into %s. Ctrl-C stops it.\n", s.db)
			err = p.Run(ctx)
			st := p.Stats()
			fmt.Fprintf(cmd.OutOrStdout(), "\nStopped. This run stored %d snapshots with %d process samples and %d events.\n",
				st.Snapshots, st.Processes, st.Events)
			return explainDatabase(err, filepath.Clean(s.db))
		},
	}
	files.register(cmd)
	retention.register(cmd)
	return cmd
}

// fileFlags are the flags of whatever folds into files of its own choice.
type fileFlags struct {
	ndjson string
	limit  int64
}

func (f *fileFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ndjson, "ndjson", "", "`folder` for monitor.jsonl and events.jsonl (default: none)")
	cmd.Flags().Int64Var(&f.limit, "ndjson-limit", ndjsonLimit, "`bytes` from which monitor.jsonl is rotated")
}

// config is how the flags have a projector made.
func (f *fileFlags) config(s *settings, cmd *cobra.Command) (projector.Config, error) {
	if f.limit < 1 {
		return projector.Config{}, misuse("--ndjson-limit %d is out of range: want 1 or more", f.limit)
	}
	dir, err := expand(f.ndjson)
	if err == nil && dir != "" {
		err = os.MkdirAll(dir, 0o700)
	}
	return projector.Config{DB: s.db, NDJSON: dir, FileLimit: f.limit, Log: s.logger(cmd)}, err
}

// ndjsonLimit is the contract's default.
const ndjsonLimit = 52428800
