package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// printRunProfile prints what one run of a job used.
func printRunProfile(cmd *cobra.Command, db *query.DB, l *listing, job, name string) error {
	if err := l.checkJob(cmd, db, job); err != nil {
		return err
	}
	r, err := query.FindRun(cmd.Context(), db, query.JobFilter{Name: job, Host: l.host}, name)
	if err != nil {
		return explainRun(err)
	}
	out := cmd.OutOrStdout()
	if l.json {
		return printJSON(out, []*query.Run{r})
	}
	fmt.Fprintf(out, "Job %s run %d of %s\n", printable(r.JobID), r.Number, runScope(r))
	ended := "it goes on"
	if r.Ended != nil {
		ended = "to " + localTime(*r.Ended)
	}
	_ = say(out, "  ran               %s %s; %s", localTime(r.Started), ended, runOutcome(r))
	printBest(cmd, query.BestOf(r))
	if r.Processes != nil {
		_ = say(out, "  processes         %d", *r.Processes)
	}
	if line := query.Incomplete(r.Coverage, ofJobs...); line != "" {
		_ = say(out, "  %s", line)
	}
	if len(r.Steps) == 0 {
		return nil
	}
	t := newTable(out, "\n  STEP\tPEAK RSS MiB\tCPU s\tSYSTEM s\tOUTCOME")
	for i := range r.Steps {
		s := &r.Steps[i]
		of := query.Run{Ended: s.Ended, ExitCode: s.ExitCode, Signal: s.Signal}
		t.row("  %d\t%s\t%s\t%s\t%s", s.Sheet, orDash(s.PeakRSS, oneDecimal), orDash(s.CPUSeconds, twoDecimals), orDash(s.SystemCPU, twoDecimals), runOutcome(&of))
	}
	return t.flush()
}
