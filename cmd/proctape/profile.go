package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

func profileCommand(s *settings) *cobra.Command {
	l := new(listing)
	var run string
	cmd := &cobra.Command{
		Use: "profile JOB", Short: "Show what a job used", Args: oneArg("job"), ValidArgsFunction: completeJobs(s),
		Long: `Show what a job used. A job belongs to its host. The figures are those of all jobs of the name, on whatever
hosts and of all runs, and a note says which; --host narrows them to one host, --run to one run.`,
		Example: `  proctape profile build-7 --json
  proctape profile build-7 --run 3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("run") && run == "" {
				return hinted(misuse("--run is empty"), "leave it out for all runs")
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				if run != "" && run != allRuns {
					return printRunProfile(cmd, db, l, args[0], run)
				}
				p, err := query.JobProfile(cmd.Context(), db, query.JobFilter{Name: args[0], Host: l.host})
				switch {
				case errors.Is(err, query.ErrNoJob):
					return cmp.Or(l.checkHost(cmd, db), noJob(cmd, db, args[0]))
				case err != nil:
					return explainJob(err)
				}
				noteCovers(cmd, p.Scopes, l.host)
				if l.json {
					return printJSON(cmd.OutOrStdout(), []*query.Profile{p})
				}
				best, err := query.BestTotals(cmd.Context(), db, query.JobFilter{Name: args[0], Host: l.host}, p)
				if err != nil {
					return err
				}
				return printProfile(cmd, p, "", best)
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "only this run, by its `number` or id, or all (default: all)")
	completeRuns(cmd, s)
	l.registerJobHost(cmd, s)
	l.registerJSON(cmd)
	return cmd
}

// printProfile prints a profile, with the best totals that are known, and which hosts it covers unless covers is empty.
func printProfile(cmd *cobra.Command, p *query.Profile, covers string, best *query.Best) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Job %s\n", printable(p.JobID))
	if covers != "" {
		_ = say(out, "  covers            %s", covers)
	}
	if p.FirstSeen != nil && p.LastSeen != nil {
		_ = say(out, "  seen              %s to %s", localTime(*p.FirstSeen), localTime(*p.LastSeen))
	}
	if len(p.AtLeast) > 0 {
		printKnown(out, p, "peak_rss_mb", "peak memory", fmt.Sprintf("%.1f MiB, of its largest process", p.PeakRSS))
		printKnown(out, p, "total_cpu_seconds", "CPU time", atLeast(p.AtLeast, "total_cpu_seconds", twoDecimals(p.CPUSeconds))+" s")
	} else {
		printBest(cmd, best)
	}
	printKnown(out, p, "max_cpu_pct", "busiest process", fmt.Sprintf("%.1f%% of one core", p.MaxCPU))
	printCounts(out, p)
	if line := query.Incomplete(p.Coverage, ofJobs...); line != "" {
		_ = say(out, "  %s", line)
	}
	switch p.Resolution {
	case "part":
		fmt.Fprintln(out, "  samples           the older ones were deleted; these figures include them")
	case "totals":
		fmt.Fprintln(out, "  samples           deleted; these figures include them")
	}
	if len(p.Sheets) > 0 {
		t := newTable(out, "\n  STEP\tPEAK RSS MiB\tMAX CPU%\tCPU s")
		for _, n := range slices.Sorted(maps.Keys(p.Sheets)) {
			s := p.Sheets[n]
			t.row("  %d\t%.1f\t%.1f\t%s", n, s.PeakRSS, s.MaxCPU, atLeast(s.AtLeast, "total_cpu_seconds", twoDecimals(s.CPUSeconds)))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	for i, name := range p.HotspotNames() {
		if i == 0 {
			fmt.Fprintf(out, "\n  System calls, time %% summed over all samples%s:\n", atLeast(p.AtLeast, "syscall_hotspots", ""))
		}
		fmt.Fprintf(out, "  %s %.1f%%\n", printable(name), p.Hotspots[name])
	}
	return nil
}

// printKnown prints one figure of a profile, by its key. One that is not known is said to be so.
func printKnown(out io.Writer, p *query.Profile, key, head, text string) {
	if !p.Knows(key) {
		text = "not known"
	}
	_ = say(out, "  %-17s %s", head, text) // what fails is told at the end
}

// printCounts prints how many processes a job had, as far as that is known.
func printCounts(out io.Writer, p *query.Profile) {
	var counts []string
	for _, c := range []struct {
		key, what string
		n         int64
	}{{"unique_pid_count", "pids seen", p.PIDs}, {"process_spawn_count", "spawns", p.Spawns}, {"process_exit_count", "exits", p.Exits}} {
		text := fmt.Sprintf("%d %s", c.n, c.what)
		if !p.Knows(c.key) {
			text = "? " + c.what
		}
		counts = append(counts, text)
	}
	_ = say(out, "  processes         %s", strings.Join(counts, ", ")) // what fails is told at the end
}
