package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func retentionStatusCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "status", Short: "Show the last passes, and when the next one comes", Args: noArgs,
		Example: `  proctape retention status --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withDatabase(cmd, func(db *query.DB) error {
				st, err := readRetentionStatus(cmd.Context(), s, db)
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

// readRetentionStatus is what the command shows, and prints as JSON.
type retentionStatus struct {
	Next           *float64              `json:"next"` // Unix seconds; null when none is scheduled
	Passes         []query.RetentionPass `json:"passes"`
	OtherDatabases []query.OtherDatabase `json:"other_databases"`
}

func readRetentionStatus(ctx context.Context, s *settings, db *query.DB) (*retentionStatus, error) {
	st := new(retentionStatus)
	var err error
	if st.Passes, err = query.RetentionPasses(ctx, db, 10); err != nil {
		return nil, err
	}
	if st.OtherDatabases, err = query.OtherDatabases(ctx, db); err != nil {
		return nil, err
	}
	if _, running := embeddednats.Owner(s.data); !running && s.server == "" {
		return st, nil
	}
	nc, err := s.connect()
	if err != nil {
		return st, nil // the passes that are in the database can be shown all the same
	}
	defer nc.Close()
	js, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return nil, err
	}
	next, err := retention.Next(ctx, js)
	if err == nil && !next.IsZero() {
		at := float64(next.UnixNano()) / 1e9
		st.Next = &at
	}
	return st, nil
}

func printRetentionStatus(w io.Writer, st *retentionStatus) error {
	switch {
	case st.Next != nil:
		fmt.Fprintf(w, "The next pass comes at %s.\n", localTime(*st.Next))
	default:
		fmt.Fprintln(w, "No pass is scheduled: no recorder runs here, or its log has no schedule.")
	}
	if len(st.Passes) == 0 {
		fmt.Fprintln(w, "No pass has been made yet.")
	} else {
		t := newTable(w, "\nPASS\tTOOK\tASKED BY\tSNAPSHOTS\tMINUTES MADE\tMINUTES\tEVENTS\tPROCESSES\tJOBS\tLOG MESSAGES\tMiB BACK\tERROR").leaving("ASKED BY", "MiB BACK", "LOG MESSAGES", "JOBS", "PROCESSES", "MINUTES MADE", "EVENTS", "MINUTES", "TOOK")
		for _, p := range st.Passes {
			r := p.Removed
			t.row("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%s", localTime(p.Started), passDuration(p), p.Asked, r.Snapshots, r.RollupsMade, r.RollupsDeleted,
				r.Events+r.Execs+r.JobEvents+r.Anomalies, r.Processes, r.Jobs, r.Messages, float64(r.Bytes)/(1<<20), term.Cut(term.Safe(p.Error), 60))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(st.OtherDatabases) == 0 {
		return nil
	}
	t := newTable(w, "\nOTHER DATABASE\tSTREAM\tCHECKPOINT\tSINCE")
	for _, h := range st.OtherDatabases {
		t.row("%s\t%s\t%d\t%s", h.Consumer, h.Stream, h.Acked, localTime(h.Since))
	}
	return t.flush()
}
