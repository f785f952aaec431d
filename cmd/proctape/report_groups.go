package main

import (
	"cmp"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
)

func (f *reportFlags) registerGroups(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.groupBy, "group-by", "", "many runs together, by `one` of: "+strings.Join(report.GroupBy, ", "))
	cmd.Flags().Var(&f.since, "since", "with --group-by: runs that began at this `time` or later")
	cmd.Flags().Var(&f.until, "until", "with --group-by: runs that began before this `time`")
	mustComplete(cmd, "group-by", report.GroupBy)
}

// checkGroups reports flags that do not go with --group-by, or want it.
func (f *reportFlags) checkGroups(cmd *cobra.Command) error {
	switch {
	case f.groupBy == "" && cmd.Flags().Changed("group-by"):
		return hinted(misuse("--group-by is empty"), "it is one of %s", strings.Join(report.GroupBy, ", "))
	case f.groupBy == "" && firstChanged(cmd, "since", "until") != "":
		return hinted(misuse("--%s is for many runs", firstChanged(cmd, "since", "until")), "it goes with --group-by; --run is for one run")
	case f.groupBy == "":
		return nil
	case !slices.Contains(report.GroupBy, f.groupBy):
		return unknownValue("--group-by", f.groupBy, "what runs can be grouped by", "it is one of", report.GroupBy)
	case f.run != "":
		return misuse("--run and --group-by cannot be combined: one is of one run, the other of many")
	case f.format == "classic":
		return misuse("--format classic and --group-by cannot be combined")
	}
	return nil
}

// groups prints many runs together.
func (f *reportFlags) groups(cmd *cobra.Command, s *settings, args []string) error {
	r, err := f.timeRange()
	if err != nil {
		return err
	}
	q := report.GroupQuestion{Jobs: "*", By: f.groupBy, Range: query.Range{Since: r.Since, Until: r.Until, Host: f.host}}
	if len(args) > 0 {
		q.Jobs = args[0]
	}
	return s.withDatabase(cmd, func(db *query.DB) error {
		g, err := report.ReadGroups(cmd.Context(), db, q)
		switch {
		case errors.Is(err, path.ErrBadPattern):
			return hinted(misuse("%q is no pattern of names", q.Jobs), `* stands for any text, ? for any character, [a-c] for one of these; \* is the character`)
		case errors.Is(err, query.ErrNoJob):
			return cmp.Or(f.checkHost(cmd, db), noJob(cmd, db, q.Jobs))
		case err != nil:
			return err
		}
		out := cmd.OutOrStdout()
		if f.json {
			return printJSON(out, []*report.Groups{g})
		}
		noteIncomplete(cmd, g.Coverage, ofJobs...)
		if f.format == "markdown" {
			_, err = io.WriteString(out, g.Markdown())
			return err
		}
		width := terminalWidth(out)
		if f.wide {
			width = 0
		}
		return g.Text(out, width)
	})
}
