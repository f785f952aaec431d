package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/estimate"
)

func estimateCommand(s *settings) *cobra.Command {
	f := new(runsFlags)
	cmd := &cobra.Command{
		Use: "estimate JOB", Short: "Estimate what a next run of a job will use, and say how the hosts are now", Args: oneArg("job"), ValidArgsFunction: completeJobs(s),
		Long: `Estimate what a next run of a job will use, in all and step by step, by what its runs used that ended well: time, CPU time, and peak memory. The column
"9 OF 10" is a value within which the next run stays in at least nine of ten cases, if it is like those before; with too few runs to say
so there is none.

Below it is how each host is now: its pressure, its free memory, what runs there, and what this job uses. In JSON that is
resource_context, and estimated_peak_memory_mb, estimated_cpu_seconds and confidence are there for conductors.`,
		Example: `  proctape estimate build-7
  proctape estimate build-7 --since -30d --host build-07
  proctape estimate build-7 --last 20 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			since, err := f.check(estimate.MostRuns)
			if err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				e, err := estimate.Read(cmd.Context(), db, estimate.Question{Job: query.JobFilter{Name: args[0], Host: f.host}, Since: since, Last: f.last}, time.Now())
				if err != nil {
					return f.explain(cmd, db, args[0], err)
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), []*estimate.Estimate{e})
				}
				noteIncomplete(cmd, e.Coverage, ofJobs...)
				return e.Text(cmd.OutOrStdout(), f.widthOf(cmd))
			})
		},
	}
	f.register(cmd, s, estimate.DefaultLast)
	return cmd
}
