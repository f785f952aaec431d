package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/correlate"
)

// runsFlags are the flags of commands that read many runs of one job.
type runsFlags struct {
	listing
	last int
}

func (f *runsFlags) register(cmd *cobra.Command, s *settings, last int) {
	cmd.Flags().Var(&f.since, "since", "only runs that began at this `time` or later, for example -30d")
	cmd.Flags().IntVar(&f.last, "last", last, "the newest so `many` runs")
	cmd.Flags().BoolVar(&f.wide, "wide", false, "do not shorten text to the terminal's width")
	f.registerJobHost(cmd, s)
	f.registerJSON(cmd)
}

// check reads --since, in Unix seconds, and checks --last.
func (f *runsFlags) check(most int) (since float64, err error) {
	if f.last < 1 || f.last > most {
		return 0, misuse("--last: want a number from 1 to %d, got %d", most, f.last)
	}
	t, err := timeFlag("since", string(f.since), time.Now())
	return timestamp(t), err
}

// explain adds to an error which jobs and hosts there are.
func (f *runsFlags) explain(cmd *cobra.Command, db *query.DB, job string, err error) error {
	if errors.Is(err, query.ErrNoJob) {
		return cmp.Or(f.checkHost(cmd, db), noJob(cmd, db, job))
	}
	return explainJob(err)
}

// widthOf is the width of lines; 0 for any.
func (f *runsFlags) widthOf(cmd *cobra.Command) int {
	if f.wide {
		return 0
	}
	return terminalWidth(cmd.OutOrStdout())
}

func correlateCommand(s *settings) *cobra.Command {
	f := new(runsFlags)
	var all bool
	cmd := &cobra.Command{
		Use: "correlate JOB", Short: "Say what goes with failure and slowness of a job", Args: oneArg("job"), ValidArgsFunction: completeJobs(s),
		Long: fmt.Sprintf(`Say what goes with failure and with slowness over the runs of a job: memory, time, CPU, input and output, processes, waiting for a CPU,
pressure of the hosts, system calls, anomalies, and the host. Failed are runs that ended with another code than 0 or by a signal; how slow runs are is
asked of those that ended well.

A number is tested by a rank test (Mann and Whitney; Spearman against time), a host or a system call by Fisher's exact test. The p of all
tests are corrected together (Benjamini and Hochberg): Q. What stands out has Q of at most 0.05. A test needs %d runs, %d on each side; what
was not tested is said, with the reason. What goes with failure need not cause it.

Pressure, waiting and system calls are known of runs whose snapshots are still there (full_resolution_hours), the others of all runs.`, correlate.MinRuns, correlate.MinSide),
		Example: `  proctape correlate build-7
  proctape correlate build-7 --since -30d --all
  proctape correlate build-7 --last 300 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			since, err := f.check(correlate.MostRuns)
			if err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				a, err := correlate.Read(cmd.Context(), db, correlate.Question{Job: query.JobFilter{Name: args[0], Host: f.host}, Since: since, Last: f.last})
				if err != nil {
					return f.explain(cmd, db, args[0], err)
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), []*correlate.Answer{a})
				}
				noteIncomplete(cmd, a.Coverage, ofJobs...)
				return a.Text(cmd.OutOrStdout(), f.widthOf(cmd), all)
			})
		},
	}
	f.register(cmd, s, correlate.DefaultLast)
	cmd.Flags().BoolVar(&all, "all", false, "show what does not stand out too")
	return cmd
}
