package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

func eventsCommand(s *settings) *cobra.Command {
	l := new(listing)
	f := new(query.Filter)
	cmd := &cobra.Command{
		Use: "events", Short: "List starts, ends and kills of processes", Args: noArgs,
		Example: `  proctape events --since -1h --type exit
  proctape events --job build-7 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			f.Range = r
			if err := checkPID(cmd, f.PID); err != nil {
				return err
			}
			for _, t := range f.Types {
				if _, ok := schema.EventKinds[t]; !ok {
					return hinted(misuse("--type %q is not an event type", t), "the types are %s",
						strings.Join(slices.Sorted(maps.Keys(schema.EventKinds)), ", "))
				}
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				events, err := query.Events(cmd.Context(), db, *f)
				if err != nil {
					return err
				}
				events = withinLimit(cmd, l, r, events)
				if l.json {
					return printJSON(cmd.OutOrStdout(), events)
				}
				return printEvents(cmd, events)
			})
		},
	}
	l.register(cmd, s, 100)
	cmd.Flags().StringSliceVar(&f.Types, "type", nil, "only events of these `types`: spawn, exit, signal, kill, oom")
	cmd.Flags().StringVar(&f.Job, "job", "", "only events of this `job`")
	cmd.Flags().Int64Var(&f.PID, "pid", 0, "only events of this `pid`")
	return cmd
}

func printEvents(cmd *cobra.Command, events []query.Event) error {
	if len(events) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no events in this time")
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "TIME\tHOST\tEVENT\tPID\tOUTCOME\tCOMMAND")
	for _, e := range events {
		t.row("%s\t%s\t%s\t%d\t%s\t%s%s", localTime(e.Timestamp), e.Host, e.Type, e.PID, outcome(e), printable(e.Command), ofJob(e.JobID, e.Sheet))
	}
	return t.flush()
}
