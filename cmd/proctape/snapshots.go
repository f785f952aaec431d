package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

func snapshotsCommand(s *settings) *cobra.Command {
	l := new(listing)
	top := 3
	cmd := &cobra.Command{
		Use: "snapshots", Short: "List snapshots and their processes", Args: noArgs,
		Long: `List snapshots, oldest first, each with its busiest processes. Without --since it lists the newest.
--json prints every process.`,
		Example: `  proctape snapshots
  proctape snapshots --since "03:00" --until "03:10"
  proctape snapshots --since -1m --json | jq '.processes[] | select(.cpu_percent > 50)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			if top < 0 {
				return hinted(misuse("--top %d is negative", top), "0 shows no processes")
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				snaps, err := query.Snapshots(cmd.Context(), db, r)
				if err != nil {
					return err
				}
				snaps = withinLimit(cmd, l, r, snaps)
				if l.json {
					return printJSON(cmd.OutOrStdout(), snaps)
				}
				return printSnapshots(cmd, snaps, top)
			})
		},
	}
	l.register(cmd, s, 100)
	cmd.Flags().IntVar(&top, "top", top, "show this `many` processes of each snapshot, the busiest first")
	return cmd
}

func printSnapshots(cmd *cobra.Command, snaps []query.Snapshot, top int) error {
	out := cmd.OutOrStdout()
	for _, s := range snaps {
		fmt.Fprintf(out, "%s  %s  %d processes, load %.2f, memory %.0f of %.0f MB used", localTime(s.Timestamp), s.Host, len(s.Processes),
			s.Load1, s.MemUsed, s.MemTotal)
		if s.Resolution > 0 {
			fmt.Fprintf(out, ", means of one minute, %d snapshots", s.Samples)
		}
		if s.Zombies > 0 {
			fmt.Fprintf(out, ", %d %s", s.Zombies, plural(s.Zombies, "zombie", "zombies"))
		}
		if s.Partial {
			fmt.Fprintf(out, ", partial (%d hidden)", s.Hidden)
		}
		if s.PressureLevel != "none" {
			fmt.Fprintf(out, ", memory pressure %s", printable(s.PressureLevel))
		}
		fmt.Fprintln(out)
		busiest := slices.SortedStableFunc(slices.Values(s.Processes), func(a, b query.Process) int {
			return cmp.Or(cmp.Compare(b.CPUPercent, a.CPUPercent), cmp.Compare(b.RSS, a.RSS))
		})
		for _, p := range busiest[:min(top, len(busiest))] {
			fmt.Fprintf(out, "  %7d %s %6.1f%% %9.1f MB  %s%s\n", p.PID, p.State, p.CPUPercent, p.RSS, printable(p.Command), ofJob(p.JobID, p.Sheet))
		}
	}
	if len(snaps) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no snapshots in this time")
	}
	return nil
}
