package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

func execsCommand(s *settings) *cobra.Command {
	l := new(listing)
	f := new(query.Filter)
	cmd := &cobra.Command{
		Use: "execs", Short: "List which programs processes went on to execute", Args: noArgs,
		Long: `List when a process that was known began to execute another program, and which. What a process
executes right after it starts is in its spawn, among the events. Where the recorder may not listen to
the kernel's process connector (see status), there are no execs.`,
		Example: `  proctape execs --since -1h --pid 4083
  proctape execs --job build-7 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if f.Range, err = l.timeRange(); err != nil {
				return err
			}
			if err := checkPID(cmd, f.PID); err != nil {
				return err
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				execs, err := query.Execs(cmd.Context(), db, *f)
				if err != nil {
					return err
				}
				execs = withinLimit(cmd, l, f.Range, execs)
				if l.json {
					return printJSON(cmd.OutOrStdout(), execs)
				}
				return printExecs(cmd, execs)
			})
		},
	}
	l.register(cmd, s, 100)
	cmd.Flags().StringVar(&f.Job, "job", "", "only execs of this `job`")
	cmd.Flags().Int64Var(&f.PID, "pid", 0, "only execs of this `pid`")
	return cmd
}

func printExecs(cmd *cobra.Command, execs []query.Exec) error {
	if len(execs) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no execs in this time")
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "TIME\tHOST\tPID\tCOMMAND")
	for _, e := range execs {
		t.row("%s\t%s\t%d\t%s%s", localTime(e.Timestamp), e.Host, e.PID, orDash(e.Command, printable), ofJob(e.JobID, e.Sheet))
	}
	return t.flush()
}
