package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema"
)

func projectCommand(s *settings) *cobra.Command {
	var ndjson string
	cmd := &cobra.Command{
		Use: "project", Short: "Fold a log into a database of its own", Args: noArgs,
		Long: `Fold the log of a NATS server, or of the recorder on this machine, into a database, and go on as it
grows. Any number of databases can follow one log; each has its own place in it.`,
		Example: `  proctape project --server nats://127.0.0.1:4222 --creds admin.nk --db second.db
  proctape project --db second.db --ndjson ./files`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			nc, err := s.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			js, err := jetStream(ctx, nc, schema.Policy{}, s.server != "")
			if err != nil {
				return err
			}
			if ndjson, err = expand(ndjson); err != nil {
				return err
			}
			p, err := projector.Open(ctx, js, projector.Config{DB: s.db, NDJSON: ndjson, Log: s.logger(cmd)})
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
	cmd.Flags().StringVar(&ndjson, "ndjson", "", "`folder` for monitor.jsonl and events.jsonl (default: none)")
	return cmd
}
