package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
)

// gateOver is the exit code of compare where a figure rose by more than --fail-over.
const gateOver = 3

var compareFormats = []string{"text", "markdown", "json"}

// compareFlags are the flags of compare.
type compareFlags struct {
	listing
	question            compare.Question
	format              string
	times               timesFlags
	failOver, minChange string // shares, as they were typed
	gate                float64
}

func compareCommand(s *settings) *cobra.Command {
	f := &compareFlags{format: "text", minChange: "5%"}
	cmd := &cobra.Command{
		Use: "compare [JOB [OTHER-JOB]]", Short: "Compare a run of a job with the runs before it, or a time with the time before it", ValidArgsFunction: completeJobs(s),
		Long: `Compare the newest run of a job that has ended with the runs before it, or with the newest runs of another job: time, CPU, memory,
input and output, processes, in all and step by step. Without a job and with --since, compare a time with the time right before it, or with
the one of --before: which commands, users, jobs, steps, hosts and reasons of ends differ most.

A figure counts as changed when its median differs by more than --min-change and by more than a least amount of its own (0.1 s, 4 MiB,
2 processes), and when the runs' own spread does not explain it: with 4 runs a side or more, by an exact rank test; with fewer, when it
lies outside of all runs before, at least 3. What lies between is said to be not clear. Figures that are lower bounds, and those of runs
that failed, are counted but never decide.

--fail-over 20% exits with 3 when a figure of whole runs became more by over 20 %, and with 0 when none did.`,
		Example: `  proctape compare build-7
  proctape compare build-7 --run 7 --against 5
  proctape compare build-7 --runs 5 --fail-over 20%
  proctape compare build-new build-old --runs 5 --format markdown
  proctape compare --since 02:00 --until 03:00
  proctape compare --since -1h --before -25h --by command,end`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && f.since == "" || len(args) > 2 || slices.Contains(args, "") {
				return hinted(needs(cmd, "one job, or two"), "with --since it compares a time with the time before it, and needs none")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			if len(args) == 0 {
				return f.times.compare(cmd, s, &f.listing, f.format, f.question.MinRelative)
			}
			if name := firstChanged(cmd, windowFlags...); name != "" {
				return hinted(misuse("--%s is of a time, and %q is a job", name, args[0]), "--run, --runs and --last say which runs of a job are compared")
			}
			f.question.Job = query.JobFilter{Name: args[0], Host: f.host}
			if len(args) == 2 {
				f.question.Other = args[1]
			}
			return s.withDatabase(cmd, func(db *query.DB) error { return f.compare(cmd, db) })
		},
	}
	f.registerRuns(cmd, s)
	f.times.register(cmd, &f.listing)
	f.registerJobHost(cmd, s)
	f.registerJSON(cmd)
	return cmd
}

// registerRuns adds the flags of comparisons of runs, and those of both.
func (f *compareFlags) registerRuns(cmd *cobra.Command, s *settings) {
	q := &f.question
	cmd.Flags().StringVar(&q.Run, "run", "", "the run to compare, by its `number` or id (default: the newest that has ended)")
	cmd.Flags().IntVar(&q.Runs, "runs", 1, "compare this `many` runs, up to that one")
	cmd.Flags().StringVar(&q.Against, "against", "", "with this one run, by its `number` or id (default: the last ones)")
	cmd.Flags().IntVar(&q.Last, "last", compare.DefaultLast, "with this `many` runs before them, or of the other job")
	cmd.Flags().StringVar(&f.minChange, "min-change", f.minChange, "a smaller change of a median is none: a `share`")
	cmd.Flags().StringVar(&f.failOver, "fail-over", "", "exit with 3 when a figure became more by over this `share`, such as 20%")
	cmd.Flags().StringVar(&f.format, "format", f.format, "`form`: "+strings.Join(compareFormats, ", "))
	cmd.Flags().BoolVar(&f.wide, "wide", false, "do not shorten text to the terminal's width")
	mustComplete(cmd, "format", compareFormats)
	completeRuns(cmd, s)
}

// check reads shares, and reports flags that do not go together.
func (f *compareFlags) check(cmd *cobra.Command) (err error) {
	for name, n := range map[string]int{"--runs": f.question.Runs, "--last": f.question.Last} {
		if n < 1 || n > compare.MostRuns {
			return misuse("%s: want a number from 1 to %d, got %d", name, compare.MostRuns, n)
		}
	}
	switch {
	case !slices.Contains(compareFormats, f.format):
		return unknownValue("--format", f.format, "a format", "the formats are", compareFormats)
	case f.json && cmd.Flags().Changed("format") && f.format != "json":
		return misuse("--format %s and --json cannot be combined", f.format)
	case f.question.Run == allRuns:
		return hinted(misuse("--run all: compare is of single runs"), "--runs 5 compares the last five")
	case f.question.Against == allRuns:
		return hinted(misuse("--against all: that is one run"), "--last 5 compares with the last five")
	case f.question.Against != "" && cmd.Flags().Changed("last"):
		return misuse("--against and --last cannot be combined: one names a run, the other says how many")
	case cmd.Flags().Changed("run") && f.question.Run == "":
		return hinted(misuse("--run is empty"), "leave it out for the newest run")
	}
	f.json = f.json || f.format == "json"
	if f.question.MinRelative, err = parseShare("--min-change", f.minChange); err != nil {
		return err
	}
	if cmd.Flags().Changed("fail-over") {
		f.gate, err = parseShare("--fail-over", f.failOver)
	}
	return err
}

// parseShare reads a share such as 20% or 0.2.
func parseShare(flag, text string) (float64, error) {
	digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return 0, misuse("%s: want a share above 0, such as 20%% or 0.2, got %q", flag, text)
	}
	if !percent && v >= 1 {
		return 0, hinted(misuse("%s: %s is %s times as much again", flag, text, text), "write %s%% for a share in percent", text)
	}
	return v, nil
}

func (f *compareFlags) compare(cmd *cobra.Command, db *query.DB) error {
	c, err := compare.Read(cmd.Context(), db, f.question)
	switch {
	case errors.Is(err, query.ErrNoJob):
		return cmp.Or(f.checkHost(cmd, db), f.noJob(cmd, db))
	case errors.Is(err, compare.ErrNothingBefore):
		return hinted(err, `"proctape jobs %s" lists its runs; a run that goes on is not compared`, printable(f.question.Job.Name))
	case err != nil:
		return explainRun(explainJob(err))
	}
	err = f.print(cmd, c)
	if f.gate == 0 || unlessGone(err) != nil {
		return err
	}
	risen := c.Over(f.gate)
	for i := range risen {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s is over the gate of %s\n", risen[i].Name, f.failOver)
	}
	for _, figure := range c.Undecided(f.gate) {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s rose by more than %s, and the gate lets it pass: %s\n", figure.Name, f.failOver, figure.Note)
	}
	if len(risen) > 0 {
		return &exitCodeError{gateOver}
	}
	return nil
}

// noJob is the error of the first of the two jobs that is not in the recording.
func (f *compareFlags) noJob(cmd *cobra.Command, db *query.DB) error {
	for _, name := range []string{f.question.Job.Name, f.question.Other} {
		if _, err := query.JobScopes(cmd.Context(), db, query.JobFilter{Name: name, Host: f.host}); errors.Is(err, query.ErrNoJob) {
			return noJob(cmd, db, name)
		}
	}
	return noJob(cmd, db, f.question.Job.Name)
}

func (f *compareFlags) print(cmd *cobra.Command, c *compare.Comparison) error {
	out := cmd.OutOrStdout()
	switch {
	case f.json:
		return printJSON(out, []*compare.Comparison{c})
	case f.format == "markdown":
		_, err := io.WriteString(out, c.Markdown())
		return err
	}
	width := terminalWidth(out)
	if f.wide {
		width = 0
	}
	return c.Text(out, width)
}
