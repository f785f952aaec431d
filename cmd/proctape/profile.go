package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

func profileCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "profile JOB", Short: "Show what a job used", Args: oneArg("job"), ValidArgsFunction: completeJobs(s),
		Example: `  proctape profile build-7 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withDatabase(cmd, func(db *query.DB) error {
				p, err := query.JobProfile(cmd.Context(), db, args[0])
				if errors.Is(err, query.ErrNoJob) {
					return noJob(args[0])
				} else if err != nil {
					return err
				}
				if l.json {
					return printJSON(cmd.OutOrStdout(), []*query.Profile{p})
				}
				return printProfile(cmd, p)
			})
		},
	}
	l.registerJSON(cmd)
	return cmd
}

func printProfile(cmd *cobra.Command, p *query.Profile) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Job %s\n", printable(p.JobID))
	if p.FirstSeen != nil && p.LastSeen != nil {
		fmt.Fprintf(out, "  seen              %s to %s\n", localTime(*p.FirstSeen), localTime(*p.LastSeen))
	}
	fmt.Fprintf(out, "  peak memory       %.1f MiB, of its largest process\n  CPU time          %.2f s\n  busiest process   %.1f%% of one core\n",
		p.PeakRSS, p.CPUSeconds, p.MaxCPU)
	fmt.Fprintf(out, "  processes         %d pids seen, %d spawns, %d exits\n", p.PIDs, p.Spawns, p.Exits)
	switch p.Resolution {
	case "part":
		fmt.Fprintln(out, "  samples           the older ones were deleted; these figures include them")
	case "totals":
		fmt.Fprintln(out, "  samples           deleted; these figures include them")
	}
	if len(p.Sheets) > 0 {
		t := newTable(out, "\n  STEP\tPEAK RSS MiB\tMAX CPU%\tCPU s")
		for _, n := range slices.Sorted(maps.Keys(p.Sheets)) {
			t.row("  %d\t%.1f\t%.1f\t%.2f", n, p.Sheets[n].PeakRSS, p.Sheets[n].MaxCPU, p.Sheets[n].CPUSeconds)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	for i, name := range p.HotspotNames() {
		if i == 0 {
			fmt.Fprintln(out, "\n  System calls, time % summed over all samples:")
		}
		fmt.Fprintf(out, "  %s %.1f%%\n", printable(name), p.Hotspots[name])
	}
	return nil
}

// noJob is the error of a job that is not in the recording.
func noJob(name string) error {
	return hinted(fmt.Errorf("no job %q is in the recording", name), `"proctape jobs" lists the jobs`)
}
