package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

var runColumns = []column[query.Run]{
	{name: "run", head: "RUN", value: func(r *query.Run) any { return r.Number }},
	{name: "host", head: "HOST", value: func(r *query.Run) any { return runScope(r) }, text: true, drop: 2},
	{name: "started", head: "STARTED", value: func(r *query.Run) any { return r.Started }, time: true},
	{name: "ended", head: "ENDED", value: func(r *query.Run) any { return valueOf(r.Ended) }, time: true, drop: 3},
	{name: "outcome", head: "OUTCOME", value: func(r *query.Run) any { return runOutcome(r) }, text: true},
	{name: "cpu", head: "CPU s", value: func(r *query.Run) any { return valueOf(r.CPUSeconds) }, show: func(r *query.Run) string { return orDash(r.CPUSeconds, twoDecimals) }},
	{name: "peak", head: "PEAK RSS MiB", value: func(r *query.Run) any { return valueOf(r.PeakRSS) }},
	{name: "group_peak", head: "GROUP PEAK MiB", value: func(r *query.Run) any { return valueOf(r.GroupPeak) }, extra: true},
	{name: "processes", head: "PROCESSES", value: func(r *query.Run) any { return valueOf(r.Processes) }, drop: 4},
	{name: "status", head: "STATUS", value: func(r *query.Run) any { return valueOf(r.Status) }, text: true, extra: true},
	{name: "id", head: "ID", value: func(r *query.Run) any { return r.ID }, extra: true},
	{name: "command", head: "COMMAND", value: func(r *query.Run) any { return valueOf(r.Command) }, text: true, drop: 5},
}

// runScope is whose job a run's is.
func runScope(r *query.Run) string {
	if r.Fleet {
		return "fleet"
	}
	return r.Host
}

// runOutcome says how a run ended, in a few words.
func runOutcome(r *query.Run) string {
	switch {
	case r.Ended == nil:
		return "running"
	case r.Signal != nil:
		return signalText(*r.Signal)
	case r.ExitCode != nil:
		return fmt.Sprintf("exit %d", *r.ExitCode)
	}
	return "not known"
}

// listRuns prints the runs of a job; of more than the limit, the latest.
func listRuns(cmd *cobra.Command, s *settings, l *listing, job string) error {
	r, err := l.timeRange()
	if err != nil {
		return err
	}
	r.Newest = true
	to, err := newSink(&l.view, cmd.OutOrStdout(), runColumns, func(r *query.Run) bool { return r.Signal != nil || r.ExitCode != nil && *r.ExitCode != 0 })
	if err != nil {
		return err
	}
	return l.withJob(cmd, s, job, func(db *query.DB) error {
		runs, err := query.Runs(cmd.Context(), db, query.JobFilter{Name: job, Host: l.host})
		if err != nil {
			return err
		}
		kept := runs[:0]
		for i := range runs {
			if last := runs[i].Ended; last == nil || *last >= r.Since {
				kept = append(kept, runs[i])
			}
		}
		kept = withinLimit(cmd, l, r, kept)
		covers, err := query.JobCoverage(cmd.Context(), db, query.JobFilter{Name: job, Host: l.host})
		if err != nil {
			return err
		}
		tellCoverage(cmd, &to, covers, ofJobs...)
		if len(kept) == 0 {
			if _, err := query.JobScopes(cmd.Context(), db, query.JobFilter{Name: job}); errors.Is(err, query.ErrNoJob) {
				return noJob(job)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: nobody declared a run of job %s in this time\n", printable(job))
			if !l.csv && !l.json {
				return nil
			}
		}
		return printAll(&l.view, to, kept, runColumns)
	})
}

// printRun prints one run of a job, as report does.
func printRun(cmd *cobra.Command, db *query.DB, l *listing, job, run string) error {
	r, err := query.FindRun(cmd.Context(), db, query.JobFilter{Name: job, Host: l.host}, run)
	if err != nil {
		return explainRun(err)
	}
	out := cmd.OutOrStdout()
	if l.json {
		return printJSON(out, []*query.Run{r})
	}
	fmt.Fprintf(out, "Job %s, run %d\n  id                %s\n  host              %s\n  started           %s\n", printable(r.JobID), r.Number, r.ID, runScope(r), localTime(r.Started))
	switch {
	case r.EndedSince != nil && r.Ended != nil:
		fmt.Fprintf(out, "  ended             between %s and %s: %s\n", localTime(*r.EndedSince), localTime(*r.Ended), runOutcome(r))
	case r.Ended != nil:
		fmt.Fprintf(out, "  ended             %s: %s\n", localTime(*r.Ended), runOutcome(r))
	default:
		fmt.Fprintln(out, "  ended             not yet")
	}
	for _, line := range []struct {
		name string
		text *string
	}{{"details", r.Details}, {"status", r.Status}, {"command", r.Command}} {
		if line.text != nil {
			fmt.Fprintf(out, "  %-17s %s\n", line.name, printable(*line.text))
		}
	}
	printTotals(cmd, &r.Totals, r.LowerBound)
	if line := query.Incomplete(r.Coverage, ofJobs...); line != "" {
		fmt.Fprintf(out, "  %s\n", line)
	}
	if len(r.Steps) == 0 {
		return nil
	}
	t := newTable(out, "\n  STEP\tSTATUS\tEXIT\tPEAK RSS MiB\tCPU s")
	for i := range r.Steps {
		s := &r.Steps[i]
		t.row("  %d\t%s\t%s\t%s\t%s", s.Sheet, orDash(s.Status, printable), orDash(s.ExitCode, wholeNumber), orDash(s.PeakRSS, oneDecimal), orDash(s.CPUSeconds, twoDecimals))
	}
	return t.flush()
}

// printBest prints what all runs of a job used, and where each figure is from.
func printBest(cmd *cobra.Command, b *query.Best) {
	out := cmd.OutOrStdout()
	printFigure(out, "peak memory", b.PeakRSS, "%.1f MiB", ", of its largest process"+bySource(b.PeakSource))
	if b.GroupPeak != nil {
		printFigure(out, "peak of all", b.GroupPeak, "%.1f MiB", " at one time, page cache included, by its control group")
	}
	printFigure(out, "CPU time", b.CPUSeconds, "%.2f s", bySource(b.CPUSource))
	if b.Runs > 1 {
		fmt.Fprintf(out, "  %-17s %d; these figures are of all together\n", "runs", b.Runs)
	}
}

// printFigure prints one figure of a report. One that is not known is said to be so.
func printFigure(out io.Writer, name string, v *float64, format, rest string) {
	if v == nil {
		fmt.Fprintf(out, "  %-17s not known\n", name)
		return
	}
	fmt.Fprintf(out, "  %-17s "+format+"%s\n", name, *v, rest)
}

// bySource says where a figure is from. What processes themselves tell needs no word.
func bySource(source *string) string {
	if source == nil {
		return ""
	}
	switch *source {
	case "cgroup":
		return ", by its control group"
	case "wait4":
		return ", by wait4(2)"
	}
	return ""
}

// printTotals prints what a run used, where each figure is from, and whether some may be more.
func printTotals(cmd *cobra.Command, t *query.Totals, lowerBound bool) {
	out := cmd.OutOrStdout()
	printFigure(out, "CPU time", t.CPUSeconds, "%.2f s", bySource(t.CPUSource))
	printFigure(out, "peak memory", t.PeakRSS, "%.1f MiB", ", of its largest process"+bySource(t.PeakSource))
	if t.GroupPeak != nil {
		printFigure(out, "peak of all", t.GroupPeak, "%.1f MiB", " at one time, page cache included, by its control group")
	}
	if t.Read != nil && t.Write != nil {
		fmt.Fprintf(out, "  %-17s %.1f MiB read, %.1f MiB written%s\n", "storage", *t.Read, *t.Write, bySource(t.IOSource))
	}
	if t.Processes != nil {
		fmt.Fprintf(out, "  %-17s %d\n", "processes", *t.Processes)
	}
	if lowerBound {
		fmt.Fprintln(out, "  at least: ends of processes may be missing in its time, and what is not by its control group or by wait4(2) is a lower bound")
	}
}

// explainRun adds to an error of finding a run what to ask for.
func explainRun(err error) error {
	var none *query.NoRunError
	var several *query.RunHostsError
	switch {
	case errors.As(err, &none) && none.Last == 0:
		return hinted(err, `"proctape jobs" lists the jobs`)
	case errors.As(err, &none):
		return hinted(err, "its last run has the number %d; \"proctape jobs %s\" lists them", none.Last, printable(none.Job))
	case errors.As(err, &several):
		return hinted(err, "--host picks one, or give the run's id")
	}
	return err
}
