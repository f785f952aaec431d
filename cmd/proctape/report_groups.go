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

// groupFlags are the flags of report that are about many runs.
type groupFlags struct{ by string }

func (f *groupFlags) register(cmd *cobra.Command, l *listing) {
	cmd.Flags().StringVar(&f.by, "group-by", "", "many runs together, by `one` of: "+strings.Join(report.GroupBy, ", "))
	cmd.Flags().Var(&l.since, "since", "with --group-by: runs that began at this `time` or later")
	cmd.Flags().Var(&l.until, "until", "with --group-by: runs that began before this `time`")
	mustComplete(cmd, "group-by", report.GroupBy)
}

// check reports flags that do not go with --group-by, or want it.
func (f *groupFlags) check(cmd *cobra.Command, run, format string) error {
	switch {
	case f.by == "" && cmd.Flags().Changed("group-by"):
		return hinted(misuse("--group-by is empty"), "it is one of %s", strings.Join(report.GroupBy, ", "))
	case f.by == "" && firstChanged(cmd, "since", "until") != "":
		return hinted(misuse("--%s is for many runs", firstChanged(cmd, "since", "until")), "it goes with --group-by; --run is for one run")
	case f.by == "":
		return nil
	case !slices.Contains(report.GroupBy, f.by):
		return unknownValue("--group-by", f.by, "what runs can be grouped by", "it is one of", report.GroupBy)
	case run != "":
		return misuse("--run and --group-by cannot be combined: one is of one run, the other of many")
	case format == "classic":
		return misuse("--format classic and --group-by cannot be combined")
	}
	return nil
}

// report prints many runs together.
func (f *groupFlags) report(cmd *cobra.Command, s *settings, l *listing, format string, args []string) error {
	r, err := l.timeRange()
	if err != nil {
		return err
	}
	q := report.GroupQuestion{Jobs: "*", By: f.by, Range: query.Range{Since: r.Since, Until: r.Until, Host: l.host}}
	if len(args) > 0 {
		q.Jobs = args[0]
	}
	return s.withDatabase(cmd, func(db *query.DB) error {
		g, err := report.ReadGroups(cmd.Context(), db, q)
		switch {
		case errors.Is(err, path.ErrBadPattern):
			return hinted(misuse("%q is no pattern of names", q.Jobs), `* stands for any text, ? for any character, [a-c] for one of these; \* is the character`)
		case errors.Is(err, query.ErrNoJob):
			return cmp.Or(l.checkHost(cmd, db), noJob(cmd, db, q.Jobs))
		case err != nil:
			return err
		}
		out := cmd.OutOrStdout()
		if l.json {
			return printJSON(out, []*report.Groups{g})
		}
		noteIncomplete(cmd, g.Coverage, ofJobs...)
		if format == "markdown" {
			_, err = io.WriteString(out, g.Markdown())
			return err
		}
		width := terminalWidth(out)
		if l.wide {
			width = 0
		}
		return g.Text(out, width)
	})
}
