package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/correlate"
	"github.com/proctape/proctape/query/report"
)

var reportFormats = []string{"text", "classic", "markdown", "json"}

// reportFlags are the flags of report.
type reportFlags struct {
	listing
	format, run string
	groups      groupFlags
}

func reportCommand(s *settings) *cobra.Command {
	f := &reportFlags{format: "text"}
	cmd := &cobra.Command{
		Use: "report JOB", Short: "Report what a run of a job used and what happened to it", ValidArgsFunction: completeJobs(s),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && f.groups.by != "" {
				return nil
			}
			return oneArg("job")(cmd, args)
		},
		Long: `Report what a run of a job used and what happened to it: how it ended, its steps, who died of what and who had the
memory then, the largest processes, what it left behind, and what of that is known. Without --run it is the newest run, compared with the
one before it; "proctape jobs JOB" lists them. Of a job that nobody declared it is all that is known.

--run all is of all runs together. --format classic prints the text of all runs that other tools read, also for a job that is not
in the recording; markdown is for a comment of a pull request. A job belongs to its host: where several have the name, --host has to pick one.

--group-by tells of many runs in a few lines, with a histogram of each figure: of all jobs whose names fit JOB, in which * stands for any text.
An array is the jobs whose names are the same but for their last number.`,
		Example: `  proctape report build-7
  proctape report build-7 --run 3
  proctape report build-7 --run all --host build-07
  proctape report build-7 --format markdown
  proctape report 'train_*' --group-by array --since -7d`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			if f.groups.by != "" {
				return f.groups.report(cmd, s, &f.listing, f.format, args)
			}
			return s.withDatabase(cmd, func(db *query.DB) error { return f.report(cmd, db, args[0]) })
		},
	}
	cmd.Flags().StringVar(&f.format, "format", f.format, "`form`: "+strings.Join(reportFormats, ", "))
	cmd.Flags().StringVar(&f.run, "run", "", "only this run, by its `number` or id, or all (default: the newest)")
	cmd.Flags().BoolVar(&f.wide, "wide", false, "do not shorten text to the terminal's width")
	mustComplete(cmd, "format", reportFormats)
	f.groups.register(cmd, &f.listing)
	completeRuns(cmd, s)
	f.registerJobHost(cmd, s)
	f.registerJSON(cmd)
	return cmd
}

// check reports flags that do not go together.
func (f *reportFlags) check(cmd *cobra.Command) error {
	switch {
	case !slices.Contains(reportFormats, f.format):
		return unknownValue("--format", f.format, "a format", "the formats are", reportFormats)
	case f.format == "classic" && f.run != "" && f.run != allRuns:
		return misuse("--format classic and --run cannot be combined: that text covers all runs")
	case f.json && cmd.Flags().Changed("format") && f.format != "json":
		return misuse("--format %s and --json cannot be combined", f.format)
	case f.format == "markdown" && f.run == allRuns:
		return hinted(misuse("--format markdown and --run all cannot be combined"), "markdown is of one run")
	case cmd.Flags().Changed("run") && f.run == "":
		return hinted(misuse("--run is empty"), "leave it out for the newest run")
	}
	f.json = f.json || f.format == "json"
	return f.groups.check(cmd, f.run, f.format)
}

// report prints the report that the flags ask for.
func (f *reportFlags) report(cmd *cobra.Command, db *query.DB, name string) error {
	job := query.JobFilter{Name: name, Host: f.host}
	if f.format == "classic" || f.run == allRuns {
		r, err := report.Read(cmd.Context(), db, job, time.Now())
		if err != nil {
			return explainJob(err)
		}
		if r.Profile == nil {
			if err := f.checkHost(cmd, db); err != nil {
				return err
			}
		}
		return printReport(cmd, db, r, f.format, &f.listing)
	}
	r, err := report.ReadRun(cmd.Context(), db, job, f.run, time.Now())
	switch {
	case errors.Is(err, query.ErrNoJob):
		return cmp.Or(f.checkHost(cmd, db), noJob(cmd, db, name))
	case err != nil:
		return explainRun(explainJob(err))
	}
	text, evidence, err := correlate.Advise(cmd.Context(), db, query.JobFilter{Name: name, Host: r.Host})
	if err != nil {
		return err
	}
	report.AddAdvice(r, correlate.Condition, text, evidence)
	if scopes, err := query.JobScopes(cmd.Context(), db, job); err == nil && f.run == "" {
		noteCovers(cmd, scopes, f.host)
	}
	switch {
	case f.json:
		return printJSON(cmd.OutOrStdout(), []*report.RunReport{r})
	case f.format == "markdown":
		_, err := io.WriteString(cmd.OutOrStdout(), r.Markdown())
		return err
	}
	width := terminalWidth(cmd.OutOrStdout())
	if f.wide {
		width = 0
	}
	return r.Text(cmd.OutOrStdout(), width)
}

func printReport(cmd *cobra.Command, db *query.DB, r *report.Report, format string, l *listing) error {
	out := cmd.OutOrStdout()
	switch {
	case format == "classic":
		if r.Profile != nil {
			noteCovers(cmd, r.Profile.Scopes, l.host)
			noteIncomplete(cmd, r.Profile.Coverage, ofJobs...)
		}
		return writeBytes(out, r.Classic())
	case r.Profile == nil && r.Best == nil:
		return noJob(cmd, db, r.Name)
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
