package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

var jobColumns = []column[query.Job]{
	{name: "job", head: "JOB", value: func(j *query.Job) any { return j.JobID }, text: true},
	{name: "host", head: "HOST", value: func(j *query.Job) any { return scopeOf(&j.JobScope) }, text: true, drop: 2},
	{name: "last_seen", head: "LAST SEEN", value: func(j *query.Job) any { return valueOf(j.LastSeen) }, time: true},
	{name: "first_seen", head: "FIRST SEEN", value: func(j *query.Job) any { return valueOf(j.FirstSeen) }, time: true, extra: true},
	{name: "outcome", head: "OUTCOME", value: func(j *query.Job) any { return ofLastRun(j, runOutcome) }, show: func(j *query.Job) string { return dashIfEmpty(ofLastRun(j, runOutcome)) }, text: true},
	{name: "wall", head: "WALL", value: func(j *query.Job) any { return valueOf(lastWall(j)) }, show: func(j *query.Job) string { return orDash(lastWall(j), term.Span) }, drop: 6},
	{name: "status", head: "STATUS", value: func(j *query.Job) any { return valueOf(j.Status) }, text: true, extra: true},
	{name: "exit_code", head: "EXIT", value: func(j *query.Job) any { return valueOf(j.ExitCode) }, extra: true},
	{name: "peak", head: "PEAK MiB", value: func(j *query.Job) any { return valueOf(j.Best.PeakRSS) }},
	{name: "max_cpu", head: "MAX CPU%", value: func(j *query.Job) any { return valueOf(j.MaxCPU) }, drop: 3},
	{name: "cpu_seconds", head: "CPU s", value: func(j *query.Job) any { return bestCPU(j) }, show: func(j *query.Job) string { return atLeast(j.AtLeast, "total_cpu_seconds", twoDecimals(bestCPU(j))) }, drop: 1},
	{name: "cpu_source", head: "CPU BY", value: func(j *query.Job) any { return valueOf(j.Best.CPUSource) }, text: true, extra: true},
	{name: "pids", head: "PIDS", value: func(j *query.Job) any { return j.PIDs }, drop: 4},
	{name: "spawns", head: "SPAWNS", value: func(j *query.Job) any { return j.Spawns }, drop: 2},
	{name: "exits", head: "EXITS", value: func(j *query.Job) any { return j.Exits }, extra: true},
	{name: "signals", head: "SIGNALS", value: func(j *query.Job) any { return j.Signals }, extra: true},
	{name: "ooms", head: "OOMS", value: func(j *query.Job) any { return j.OOMs }, extra: true},
	{name: "runs", head: "RUNS", value: func(j *query.Job) any { return j.Runs }, drop: 5},
	{name: "command", head: "COMMAND", value: func(j *query.Job) any { return valueOf(j.Command) }, text: true, extra: true},
}

// bestCPU is the CPU time of all of a job, in seconds.
func bestCPU(j *query.Job) float64 {
	if j.Best.CPUSeconds == nil {
		return 0
	}
	return *j.Best.CPUSeconds
}

// ofLastRun says something of the last run of a job; empty for a job without a declared run.
func ofLastRun(j *query.Job, say func(*query.Run) string) string {
	if j.LastRun == nil {
		return ""
	}
	return say(j.LastRun)
}

// lastWall is how long the last run of a job took, or has taken until now, in seconds.
func lastWall(j *query.Job) *float64 {
	if j.LastRun == nil {
		return nil
	}
	return runWall(j.LastRun)
}

const jobsLong = `List jobs; the job that was seen last comes last. A process belongs to the job that PROCTAPE_JOB_ID in its
environment names, or else to its parent's job. PROCTAPE_SHEET names the step (sheet). docs/jobs.md
tells of the other ways.

OUTCOME and WALL are of its last run: how it ended, or running, and how long it took. CPU and peak are of
all its runs, by the best source that is known, which cpu_source names: what control groups or wait4(2)
told at their ends, or what processes tell, where that is more. JSON has them in best_totals.

A job belongs to its host: one name on two hosts is two jobs. "fleet" marks a job that a conductor
declared for all hosts; its figures are the sums over them. With --host, the figures are those of that
host, and jobs of other hosts are left out.

With a JOB it lists the runs of the job, which are its executions, by their numbers. "proctape report JOB
--run N" shows one. The columns of runs are run, host, started, ended, wall, outcome, cpu, user, system,
peak, group_peak, processes, status, id and command. group_peak is what the control group was charged at
most, without pages that others had loaded: it may be less than the largest process had.`

func jobsCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "jobs [JOB]", Short: "List jobs, or the runs of one", Args: oneArgAtMost, ValidArgsFunction: completeJobs(s),
		Long: jobsLong,
		Example: `  PROCTAPE_JOB_ID=build-7 PROCTAPE_SHEET=1 make
  proctape jobs
  proctape jobs build-7
  proctape jobs --sort peak --columns job,peak,status`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return listRuns(cmd, s, l, args[0])
			}
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			r.Newest = true
			to, err := newSink(&l.view, cmd.OutOrStdout(), jobColumns, func(j *query.Job) bool { return j.ExitCode != nil && *j.ExitCode != 0 })
			if err != nil {
				return err
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				jobs, err := query.Jobs(cmd.Context(), db, r)
				if err != nil {
					return err
				}
				jobs = withinLimit(cmd, l, r, jobs)
				if err := errors.Join(query.AddLastRuns(cmd.Context(), db, jobs), query.AddBest(cmd.Context(), db, jobs)); err != nil {
					return err
				}
				covers, err := jobsCoverage(cmd, db, l, r, jobs)
				if err != nil {
					return err
				}
				tellCoverage(cmd, &to, covers, ofJobs...)
				if len(jobs) == 0 {
					fmt.Fprintln(cmd.ErrOrStderr(), `proctape: note: no jobs were seen; "proctape run --job NAME -- COMMAND" runs one`)
					if !l.csv && !l.json {
						return nil
					}
				}
				return printAll(&l.view, to, jobs, jobColumns)
			})
		},
	}
	cmd.Flags().Var(&l.since, "since", "only jobs that were seen at this `time` or later")
	cmd.Flags().IntVar(&l.limit, "limit", 100, "list at most this `many`; 0 for all")
	cmd.Flags().StringVar(&l.host, "host", "", "only what this `host` recorded (default: all hosts)")
	completeHosts(cmd, s)
	registerView(&l.view, cmd, jobColumns)
	return cmd
}

// jobsCoverage is how much is known of the time of jobs: since the flags' or since the first of them was seen.
func jobsCoverage(cmd *cobra.Command, db *query.DB, l *listing, r query.Range, jobs []query.Job) ([]query.Coverage, error) {
	var first float64
	for i := range jobs {
		if seen := jobs[i].FirstSeen; seen != nil && (first == 0 || *seen < first) {
			first = *seen
		}
	}
	return l.coverageOf(cmd, db, r, first, first, false)
}
