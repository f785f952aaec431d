package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

func jobsCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "jobs", Short: "List jobs", Args: noArgs,
		Long: `List jobs; the job that was seen last comes last. A process belongs to the job that PROCTAPE_JOB_ID in its
environment names, or else to its parent's job. PROCTAPE_SHEET names the step (sheet). docs/jobs.md
tells of the other ways.

A job belongs to its host: one name on two hosts is two jobs. "fleet" marks a job that a conductor
declared for all hosts; its figures are the sums over them. With --host, the figures are those of that
host, and jobs of other hosts are left out.`,
		Example: `  PROCTAPE_JOB_ID=build-7 PROCTAPE_SHEET=1 make
  proctape jobs`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			r.Newest = true
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				jobs, err := query.Jobs(cmd.Context(), db, r)
				if err != nil {
					return err
				}
				jobs = withinLimit(cmd, l, r, jobs)
				if l.json {
					return printJSON(cmd.OutOrStdout(), jobs)
				}
				return printJobs(cmd, jobs)
			})
		},
	}
	cmd.Flags().Var(&l.since, "since", "only jobs that were seen at this `time` or later")
	cmd.Flags().IntVar(&l.limit, "limit", 100, "list at most this `many`; 0 for all")
	cmd.Flags().StringVar(&l.host, "host", "", "only what this `host` recorded (default: all hosts)")
	completeHosts(cmd, s)
	l.registerJSON(cmd)
	return cmd
}

func printJobs(cmd *cobra.Command, jobs []query.Job) error {
	if len(jobs) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), `proctape: note: no jobs were seen; "proctape run --job NAME -- COMMAND" runs one`)
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "JOB\tHOST\tLAST SEEN\tPEAK RSS MiB\tMAX CPU%\tCPU s\tPIDS\tSPAWNS")
	for i := range jobs {
		j := &jobs[i]
		t.row("%s\t%s\t%s\t%s\t%s\t%.2f\t%d\t%d", printable(j.JobID), scopeOf(&j.JobScope), orDash(j.LastSeen, localTime), orDash(j.PeakRSS, oneDecimal),
			orDash(j.MaxCPU, oneDecimal), j.CPUSeconds, j.PIDs, j.Spawns)
	}
	return t.flush()
}
