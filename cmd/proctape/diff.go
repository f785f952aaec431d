package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

var diffColumns = []column[query.Change]{
	{name: "what", head: "WHAT", value: func(c *query.Change) any { return c.Kind }},
	{name: "pid", head: "PID", value: func(c *query.Change) any { return c.Process().PID }},
	{name: "rss", head: "RSS MiB", value: func(c *query.Change) any {
		if c.After == nil {
			return nil
		}
		return c.After.RSS
	}},
	{name: "change", head: "CHANGE MiB", value: func(c *query.Change) any { return c.RSS }, show: func(c *query.Change) string { return fmt.Sprintf("%+.1f", c.RSS) }},
	{name: "cpu", head: "CPU s", value: func(c *query.Change) any { return c.CPU }, show: func(c *query.Change) string { return twoDecimals(c.CPU) }},
	{name: "outcome", head: "OUTCOME", text: true, drop: 1, value: func(c *query.Change) any {
		if c.End == nil {
			return nil
		}
		return outcome(*c.End)
	}},
	{name: "command", head: "COMMAND", text: true, value: func(c *query.Change) any { return c.Process().Command }, show: func(c *query.Change) string {
		return c.Process().Command + ofJob(c.Process().JobID, c.Process().Fleet, c.Process().Sheet)
	}},
}

func diffCommand(s *settings) *cobra.Command {
	l, f := new(listing), new(filterFlags)
	cmd := &cobra.Command{
		Use: "diff FROM TO", Short: "Show what changed between two times",
		Long: `Show which processes started, ended or changed between two times, and how their memory did, what changed most first.
CPU is what they used in between. Times are written as for --since.`,
		Example: `  proctape diff 03:00 03:10
  proctape diff -1h now --user ci --sort cpu`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return needs(cmd, "two times")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			from, err := parseTime(args[0], now)
			if err != nil {
				return err
			}
			to, err := parseTime(args[1], now)
			if err != nil {
				return err
			}
			if !to.After(from) {
				return hinted(misuse("the second time is not after the first"), "they mean %s and %s", from.Local().Format(timeLayout), to.Local().Format(timeLayout))
			}
			filter, err := f.filter(cmd, query.Range{Host: l.host})
			if err != nil {
				return err
			}
			if _, err := pick(&l.view, diffColumns); err != nil {
				return err
			}
			return l.withJob(cmd, s, f.job, func(db *query.DB) error {
				diffs, err := query.Diff(cmd.Context(), db, timestamp(from), timestamp(to), filter)
				if err != nil {
					return err
				}
				covers, err := query.HostCoverage(cmd.Context(), db, query.Range{Since: timestamp(from), Until: min(timestamp(to), timestamp(now)), Host: l.host})
				if err != nil {
					return err
				}
				return printDiffs(cmd, l, diffs, covers)
			})
		},
	}
	registerView(&l.view, cmd, diffColumns)
	cmd.Flags().StringVar(&l.host, "host", "", "only this `host`")
	cmd.Flags().IntVar(&l.limit, "limit", 50, "list at most this `many` of each host; 0 for all")
	completeHosts(cmd, s)
	f.register(cmd, s, "job", "step", "pid", "user", "command", "cgroup")
	return cmd
}

func printDiffs(cmd *cobra.Command, l *listing, diffs []query.HostDiff, covers []query.Coverage) error {
	out := cmd.OutOrStdout()
	if len(diffs) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no host has a snapshot for both times")
	}
	if l.json {
		return printCovered(out, diffs, covers)
	}
	noteIncomplete(cmd, covers, query.DataSnapshots, query.DataEvents)
	for i := range diffs {
		d := &diffs[i]
		counts := map[string]int64{}
		for _, c := range d.Changes {
			counts[c.Kind]++
		}
		if !l.csv {
			if err := say(out, "%s to %s on %s: %d started, %d ended, %d changed, %d stayed; %d came and went in between", localTime(d.From), localTime(d.To),
				d.Host, counts["started"], counts["ended"], counts["changed"], counts["stayed"], d.Passed); err != nil {
				return err
			}
		}
		if l.sort != "" {
			if err := sorted(&l.view, d.Changes, diffColumns); err != nil {
				return err
			}
		}
		if err := printChanges(cmd, l, d); err != nil {
			return err
		}
	}
	return nil
}

// printChanges prints the changes of a host: those of which there is something to say.
func printChanges(cmd *cobra.Command, l *listing, d *query.HostDiff) error {
	to, err := newSink(&l.view, cmd.OutOrStdout(), diffColumns, func(c *query.Change) bool { return c.End != nil && c.End.Signal != nil })
	if err != nil {
		return err
	}
	n, more := 0, 0
	for i := range d.Changes {
		c := &d.Changes[i]
		switch {
		case c.Kind == "stayed" && c.CPU < 0.005 && max(c.RSS, -c.RSS) < 0.05:
		case l.limit > 0 && n == l.limit:
			more++
		default:
			n++
			if err := to.add(c); err != nil {
				return err
			}
		}
	}
	if more > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: on %s there %s %d more (--limit)\n", d.Host, plural(int64(more), "is", "are"), more)
	}
	if n == 0 && !l.csv {
		return nil
	}
	return to.flush()
}
