package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

func historyCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "history PID", Short: "Show one process over time", Args: oneArg("pid"),
		Long: `Show what was recorded of a pid, oldest first. A pid that was reused is more than one process: each of
them gets a table of its own.`,
		Example: `  proctape history 4242 --since -1h`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || pid <= 0 {
				return hinted(misuse("%q is not a pid", args[0]), "a pid is a whole number above 0")
			}
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				points, err := query.History(cmd.Context(), db, pid, r)
				if err != nil {
					return err
				}
				if len(points) == 0 {
					return hinted(fmt.Errorf("process %d is not in the recording", pid),
						`a process that ends before its first sample leaves only events: "proctape events --pid %d"`, pid)
				}
				points = withinLimit(cmd, l, r, points)
				if l.json {
					return printJSON(cmd.OutOrStdout(), points)
				}
				return printHistory(cmd, points)
			})
		},
	}
	l.register(cmd, s, 100)
	return cmd
}

func printHistory(cmd *cobra.Command, points []query.HistoryPoint) error {
	var t *table
	var last query.HistoryPoint
	for _, m := range points {
		if t == nil || m.Host != last.Host || m.BootID != last.BootID || m.StartTicks != last.StartTicks {
			if t != nil {
				if err := t.flush(); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout())
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d on %s, started %s: %s%s\n", m.PID, m.Host, localTime(m.Timestamp-m.Age), printable(m.Command), ofJob(m.JobID, m.Sheet))
			t = newTable(cmd.OutOrStdout(), "TIME\tOVER\tSTATE\tCPU%\tRSS MB\tVMS MB\tTHREADS\tFDS\tCPU s")
		}
		t.row("%s\t%s\t%s\t%.1f\t%.1f\t%.1f\t%d\t%d\t%.2f", localTime(m.Timestamp), resolutionText(m.Resolution), m.State, m.CPUPercent, m.RSS, m.VMS, m.Threads, m.OpenFDs, m.CPUSeconds)
		last = m
	}
	return t.flush()
}

// resolutionText is the time over which a line of a history is the mean.
func resolutionText(resolution float64) string {
	if resolution == 0 {
		return "now"
	}
	return fmt.Sprintf("%.0fs", resolution)
}
