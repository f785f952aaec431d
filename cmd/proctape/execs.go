package main

import (
	"iter"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

var execColumns = []column[query.Exec]{
	{name: "time", head: "TIME", value: func(e *query.Exec) any { return e.Timestamp }, time: true},
	{name: "host", head: "HOST", value: func(e *query.Exec) any { return e.Host }, drop: 2, text: true},
	{name: "pid", head: "PID", value: func(e *query.Exec) any { return e.PID }},
	{name: "user", head: "USER", value: func(e *query.Exec) any { return valueOf(e.UID) }, show: func(e *query.Exec) string { return orDash(e.UID, userName) }, extra: true},
	{name: "job", head: "JOB", value: func(e *query.Exec) any { return valueOf(e.JobID) }, show: func(e *query.Exec) string { return jobStep(e.JobID, e.Sheet) }, text: true, extra: true},
	{name: "source", head: "SOURCE", value: func(e *query.Exec) any { return e.Source }, extra: true},
	{name: "command", head: "COMMAND", value: func(e *query.Exec) any { return valueOf(e.Command) }, show: func(e *query.Exec) string {
		return orDash(e.Command, func(s string) string { return s }) + ofJob(e.JobID, e.Fleet, e.Sheet)
	}, text: true},
}

func execsCommand(s *settings) *cobra.Command {
	l, f := new(listing), new(filterFlags)
	cmd := &cobra.Command{
		Use: "execs", Short: "List which programs processes went on to execute", Args: noArgs,
		Long: `List when a process that was known began to execute another program, and which. What a process
executes right after it starts is in its spawn, among the events. Where the recorder may not listen to
the kernel's process connector (see status), there are no execs.`,
		Example: `  proctape execs --since -1h --pid 4083
  proctape execs --job build-7 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			filter, err := f.filter(cmd, r)
			if err != nil {
				return err
			}
			to, err := newSink(&l.view, cmd.OutOrStdout(), execColumns, nil)
			if err != nil {
				return err
			}
			return l.withJob(cmd, s, f.job, func(db *query.DB) error {
				if err := f.narrow(cmd, db, &r); err != nil {
					return err
				}
				return list(cmd, db, l, r, func(r query.Range) iter.Seq2[query.Exec, error] {
					filter.Range = r
					return query.ExecSeq(cmd.Context(), db, filter)
				}, to, execColumns, "no execs in this time", query.DataEvents)
			})
		},
	}
	registerList(l, cmd, s, execColumns)
	f.register(cmd, s, "job", "run", "step", "pid", "user", "command")
	return cmd
}
