package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

var orphanColumns = []column[query.Orphan]{
	{name: "host", head: "HOST", value: func(o *query.Orphan) any { return o.Host }, text: true, drop: 4},
	{name: "session", head: "SESSION", value: func(o *query.Orphan) any { return o.Session }, text: true},
	{name: "pid", head: "PID", value: func(o *query.Orphan) any { return o.Process.PID }},
	{name: "user", head: "USER", value: func(o *query.Orphan) any { return valueOf(o.Process.UID) }, show: func(o *query.Orphan) string { return orDash(o.Process.UID, userName) }, drop: 3},
	{name: "since", head: "SINCE", value: func(o *query.Orphan) any { return valueOf(o.Ended) }, time: true, drop: 2},
	{name: "cpu_since", head: "CPU s SINCE", value: func(o *query.Orphan) any { return valueOf(o.CPUSince) }, show: func(o *query.Orphan) string { return orDash(o.CPUSince, twoDecimals) }},
	{name: "cpu", head: "CPU%", value: func(o *query.Orphan) any { return whenKnown(&o.Process, "cpu_percent", o.Process.CPUPercent) }},
	{name: "rss", head: "RSS MiB", value: func(o *query.Orphan) any { return whenKnown(&o.Process, "rss_mb", o.Process.RSS) }},
	{name: "born_of", head: "BORN OF", text: true, drop: 1, value: func(o *query.Orphan) any { return fmt.Sprintf("%d %s", o.BornOf.PID, o.BornOf.Command) }},
	{name: "why", head: "ENDED", value: func(o *query.Orphan) any { return o.Why }, extra: true},
	{name: "command", head: "COMMAND", text: true, value: func(o *query.Orphan) any { return o.Process.Command }},
}

func orphansCommand(s *settings) *cobra.Command {
	l, f := new(listing), new(filterFlags)
	var at timeText
	cmd := &cobra.Command{
		Use: "orphans", Short: "List processes whose parent or job has ended", Args: noArgs,
		Long: `List the processes of a time (--at; now without it) that go on though the process that bore them, or their job, has ended: by
session, with what they have cost since. A session is a job, or else the oldest process that is known to have borne them.`,
		Example: `  proctape orphans
  proctape orphans --user ci --sort cpu_since`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			when, err := timeFlag("at", string(at), time.Now())
			if err != nil {
				return err
			}
			if when.IsZero() {
				when = time.Now()
			}
			filter, err := f.filter(cmd, query.Range{Host: l.host})
			if err != nil {
				return err
			}
			to, err := newSink(&l.view, cmd.OutOrStdout(), orphanColumns, nil)
			if err != nil {
				return err
			}
			return l.withJob(cmd, s, f.job, func(db *query.DB) error {
				orphans, err := query.OrphansAt(cmd.Context(), db, timestamp(when), filter)
				if err != nil {
					return err
				}
				covers, err := query.MomentCoverage(cmd.Context(), db, timestamp(when), l.host)
				if err != nil {
					return err
				}
				tellCoverage(cmd, &to, covers, query.DataSnapshots)
				return printOrphans(cmd, l, to, orphans)
			})
		},
	}
	registerView(&l.view, cmd, orphanColumns)
	cmd.Flags().Var(&at, "at", "as it was at this `time`")
	cmd.Flags().StringVar(&l.host, "host", "", "only this `host`")
	completeHosts(cmd, s)
	f.register(cmd, s, "job", "step", "pid", "user", "command", "cgroup")
	return cmd
}

func printOrphans(cmd *cobra.Command, l *listing, to sink[query.Orphan], orphans []query.Orphan) error {
	var cpu, rss float64
	for i := range orphans {
		rss += orphans[i].Process.RSS
		if orphans[i].CPUSince != nil {
			cpu += *orphans[i].CPUSince
		}
	}
	if len(orphans) == 0 && !l.csv {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no process has outlived its parent or its job")
		if !l.json {
			return nil
		}
	}
	if err := printAll(&l.view, to, orphans, orphanColumns); err != nil || l.json || l.csv {
		return err
	}
	return say(cmd.OutOrStdout(), "%d %s; since they are on their own they have used %.2f CPU s, and they hold %.1f MiB", len(orphans),
		plural(int64(len(orphans)), "orphan", "orphans"), cpu, rss)
}
