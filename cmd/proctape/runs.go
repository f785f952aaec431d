package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

var runColumns = []column[query.Run]{
	{name: "run", head: "RUN", value: func(r *query.Run) any { return r.Number }},
	{name: "host", head: "HOST", value: func(r *query.Run) any { return runScope(r) }, text: true, drop: 2},
	{name: "started", head: "STARTED", value: func(r *query.Run) any { return r.Started }, time: true},
	{name: "ended", head: "ENDED", value: func(r *query.Run) any { return valueOf(r.Ended) }, time: true, drop: 3},
	{name: "wall", head: "WALL", value: func(r *query.Run) any { return valueOf(runWall(r)) }, show: func(r *query.Run) string { return orDash(runWall(r), term.Span) }, drop: 6},
	{name: "outcome", head: "OUTCOME", value: func(r *query.Run) any { return runOutcome(r) }, text: true},
	{name: "cpu", head: "CPU s", value: func(r *query.Run) any { return valueOf(r.CPUSeconds) }, show: func(r *query.Run) string { return orDash(r.CPUSeconds, twoDecimals) }},
	{name: "user", head: "USER s", value: func(r *query.Run) any { return valueOf(r.UserCPU) }, show: func(r *query.Run) string { return orDash(r.UserCPU, twoDecimals) }, drop: 7},
	{name: "system", head: "SYSTEM s", value: func(r *query.Run) any { return valueOf(r.SystemCPU) }, show: func(r *query.Run) string { return orDash(r.SystemCPU, twoDecimals) }, drop: 7},
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

// runWall is how long a run took, or has taken until now, in seconds.
func runWall(r *query.Run) *float64 {
	end := timestamp(time.Now())
	if r.Ended != nil {
		end = *r.Ended
	}
	wall := max(0, end-r.Started)
	return &wall
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
				return noJob(cmd, db, job)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: nobody declared a run of job %s in this time\n", printable(job))
			if !l.csv && !l.json {
				return nil
			}
		}
		return printAll(&l.view, to, kept, runColumns)
	})
}

// printBest prints what all runs of a job used, and where each figure is from.
func printBest(cmd *cobra.Command, b *query.Best) {
	out := cmd.OutOrStdout()
	printFigure(out, "peak memory", b.PeakRSS, "%.1f MiB", ", of its largest process"+bySource(b.PeakSource))
	switch {
	case b.GroupPeak == nil:
	case *b.Together.Source == "cgroup":
		printFigure(out, "peak of all", b.GroupPeak, "%.1f MiB", " at one time, page cache included, by its control group")
	default:
		printFigure(out, "peak of all", b.Together.Peak, "at least %.1f MiB", fmt.Sprintf(" at one time, by its largest process; its control group was charged %.1f MiB, for pages that others had loaded do not count there", *b.GroupPeak))
	}
	printFigure(out, "CPU time", b.CPUSeconds, "%.2f s", userAndSystem(b)+bySource(b.CPUSource))
	if b.Runs > 1 {
		fmt.Fprintf(out, "  %-17s %d; these figures are of all together\n", "runs", b.Runs)
	}
}

// userAndSystem says how much of the CPU time programs used themselves, and how much the kernel on their behalf, where that is known.
func userAndSystem(b *query.Best) string {
	if b.SystemCPU == nil {
		return ""
	}
	return fmt.Sprintf(" (user %.2f, system %.2f)", *b.UserCPU, *b.SystemCPU)
}

// printFigure prints one figure of a report. One that is not known is said to be so.
func printFigure(out io.Writer, name string, v *float64, format, rest string) {
	if v == nil {
		fmt.Fprintf(out, "  %-17s not known\n", name)
		return
	}
	_ = say(out, "  %-17s "+format+"%s", name, *v, rest) // what fails is told at the end
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

// explainRun adds to an error of finding a run what to ask for.
func explainRun(err error) error {
	var none *query.NoRunError
	var several *query.RunHostsError
	switch {
	case errors.As(err, &none) && none.Last == 0:
		return hinted(err, `"proctape jobs" lists the jobs`)
	case errors.As(err, &none):
		return hinted(err, "its runs have the numbers %d to %d; \"proctape jobs %s\" lists them", none.First, none.Last, printable(none.Job))
	case errors.As(err, &several) && several.Run == "":
		return hinted(err, "--host picks one; \"proctape jobs %s\" lists the runs of all", printable(several.Job))
	case errors.As(err, &several):
		return hinted(err, "--host picks one, or give the run's id")
	}
	return err
}

// allRuns is the value of --run for all runs of a job together.
const allRuns = "all"

// completeRuns offers the runs of the job that was typed, for the flag --run.
func completeRuns(cmd *cobra.Command, s *settings) {
	completeFlag(cmd, "run", func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeNames(s, func(ctx context.Context, db *query.DB) ([]string, error) {
			runs, err := query.Runs(ctx, db, query.JobFilter{Name: args[0]})
			names := []string{allRuns}
			for i := range runs {
				names = append(names, strconv.FormatInt(runs[i].Number, 10))
			}
			return names, err
		})(cmd, nil, typed)
	})
}

// narrow narrows a range to the time and the host of the run that --run names, and checks that the job has the step that --step names.
func (f *filterFlags) narrow(cmd *cobra.Command, db *query.DB, r *query.Range) error {
	switch {
	case f.run != "" && f.job == "":
		return hinted(misuse("--run without --job"), `"proctape jobs JOB" lists the runs of a job`)
	case f.job == "":
		return nil
	}
	job := query.JobFilter{Name: f.job, Host: r.Host}
	if flag := cmd.Flags().Lookup("step"); flag != nil && flag.Changed {
		if err := checkStep(cmd, db, job, f.step); err != nil {
			return err
		}
	}
	if f.run == "" {
		return nil
	}
	return narrowToRun(cmd, db, job, f.run, r)
}

// checkStep reports a step that the job does not have, and names those that it has.
func checkStep(cmd *cobra.Command, db *query.DB, job query.JobFilter, step int64) error {
	steps, err := query.JobSteps(cmd.Context(), db, job)
	if err != nil || slices.Contains(steps, step) {
		return err
	}
	err = fmt.Errorf("job %q has no step %d in the recording", job.Name, step)
	if len(steps) == 0 {
		return hinted(err, "it has no steps; leave --step out")
	}
	names := make([]string, len(steps))
	for i, n := range steps {
		names[i] = strconv.FormatInt(n, 10)
	}
	return hinted(err, "its steps are %s", hostList(names))
}

// narrowToRun narrows a range to the time and the host of a run of a job.
func narrowToRun(cmd *cobra.Command, db *query.DB, job query.JobFilter, name string, r *query.Range) error {
	run, err := query.FindRun(cmd.Context(), db, job, name)
	if err != nil {
		return explainRun(err)
	}
	r.Since = max(r.Since, run.Started)
	if run.Host != "" {
		r.Host = run.Host
	}
	const behind = 1e-3 // what happened at the end itself belongs to the run
	if run.Ended != nil && (r.Until == 0 || r.Until > *run.Ended+behind) {
		r.Until = *run.Ended + behind
	}
	return nil
}
