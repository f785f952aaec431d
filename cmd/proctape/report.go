package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
)

func reportCommand(s *settings) *cobra.Command {
	l := new(listing)
	format, run := "text", ""
	cmd := &cobra.Command{
		Use: "report JOB", Short: "Report what a job used and what happened to it", Args: oneArg("job"), ValidArgsFunction: completeJobs(s),
		Long: `Report what a job used and what happened to its processes. --format classic prints the text that other
tools read, also for a job that is not in the recording.

A job belongs to its host. The report covers all jobs of the name, on whatever hosts, and says which;
--host narrows it to one, and --run to one execution of it ("proctape jobs JOB" lists them).`,
		Example: `  proctape report build-7
  proctape report build-7 --host build-07
  proctape report build-7 --run 3
  proctape report build-7 --format classic`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "classic" {
				return hinted(misuse("--format %q is not a format", format), "the formats are text and classic")
			}
			if format == "classic" && run != "" {
				return misuse("--format classic and --run cannot be combined: that text covers all runs")
			}
			if format == "classic" && l.json {
				return misuse("--format classic and --json cannot be combined")
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				if run != "" {
					return printRun(cmd, db, l, args[0], run)
				}
				r, err := report.Read(cmd.Context(), db, query.JobFilter{Name: args[0], Host: l.host}, time.Now())
				if err != nil {
					return explainJob(err)
				}
				if r.Profile == nil {
					if err := l.checkHost(cmd, db); err != nil {
						return err
					}
				}
				return printReport(cmd, r, format, l)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text or classic")
	cmd.Flags().StringVar(&run, "run", "", "only this run, by its `number` or id (default: all runs together)")
	l.registerJobHost(cmd, s)
	l.registerJSON(cmd)
	return cmd
}

func printReport(cmd *cobra.Command, r *report.Report, format string, l *listing) error {
	out := cmd.OutOrStdout()
	switch {
	case format == "classic":
		if r.Profile != nil {
			noteCovers(cmd, r.Profile.Scopes, l.host)
			noteIncomplete(cmd, r.Profile.Coverage, ofJobs...)
		}
		return writeBytes(out, r.Classic())
	case r.Profile == nil && r.Best == nil:
		return noJob(r.Name)
	case l.json:
		return printJSON(out, []*report.Report{r})
	case r.Profile == nil:
		fmt.Fprintf(out, "Job %s\n  processes         none was seen; what follows is what was told at the ends of its runs\n", printable(r.Name))
		printBest(cmd, r.Best)
		return nil
	}
	if err := printProfile(cmd, r.Profile, coversText(r.Profile.Scopes, l.host), r.Best); err != nil {
		return err
	}
	if n := r.Counts["signal"] + r.Counts["kill"]; n > 0 {
		fmt.Fprintf(out, "\n  Killed or signalled: %d\n", n)
		for _, e := range r.Signals {
			fmt.Fprintf(out, "  %s  pid %d  %s  %s\n", localTime(e.Timestamp), e.PID, outcome(e), printable(e.Details))
		}
	}
	if n := r.Counts["oom"]; n > 0 {
		fmt.Fprintf(out, "\n  Out of memory: %d\n", n)
		for _, e := range r.OOMs {
			fmt.Fprintf(out, "  %s  pid %d  %s\n", localTime(e.Timestamp), e.PID, printable(e.Details))
		}
	}
	return nil
}
