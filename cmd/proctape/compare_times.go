package main

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
)

// The flags of compare that are about times alone, and those that are about runs alone.
var (
	windowFlags = []string{"since", "until", "before", "by", "limit"}
	runFlags    = []string{"run", "runs", "against", "last", "fail-over"}
)

func (f *compareFlags) registerWindow(cmd *cobra.Command) {
	cmd.Flags().Var(&f.since, "since", "without a job: compare from this `time` on, for example -1h or \"2026-11-23 03:10\"")
	cmd.Flags().Var(&f.until, "until", "up to this `time` (default: now)")
	cmd.Flags().Var(&f.before, "before", "with as long from this `time` on (default: what is right before --since)")
	cmd.Flags().StringSliceVar(&f.by, "by", nil, "compare only by `these`: "+strings.Join(compare.WindowBy, ", "))
	cmd.Flags().IntVar(&f.limit, "limit", 20, "show at most this `many` differences; 0 for all")
	mustComplete(cmd, "by", compare.WindowBy)
}

// firstChanged is the first of some flags that was given, or nothing.
func firstChanged(cmd *cobra.Command, names ...string) string {
	i := slices.IndexFunc(names, cmd.Flags().Changed)
	if i < 0 {
		return ""
	}
	return names[i]
}

// window is the question of two times.
func (f *compareFlags) window(cmd *cobra.Command) (q compare.WindowQuestion, err error) {
	if name := firstChanged(cmd, runFlags...); name != "" {
		return q, hinted(misuse("--%s is of the runs of a job, and no job is named", name), "proctape compare JOB --%s …", name)
	}
	for _, by := range f.by {
		if !slices.Contains(compare.WindowBy, by) {
			return q, unknownValue("--by", by, "what a difference can be about", "it is one of", compare.WindowBy)
		}
	}
	r, err := f.timeRange()
	if err != nil {
		return q, err
	}
	now := time.Now()
	if r.Until == 0 {
		r.Until = timestamp(now)
	}
	before, err := timeFlag("before", string(f.before), now)
	if err != nil {
		return q, err
	}
	q = compare.WindowQuestion{Filter: query.Filter{Range: query.Range{Since: r.Since, Until: r.Until, Host: f.host, Limit: f.limit}}, Before: timestamp(before), By: f.by, MinRelative: f.question.MinRelative}
	switch {
	case r.Since >= r.Until:
		return q, misuse("--since is not before now")
	case q.Before > 0 && q.Before < r.Until && q.Before+r.Until-r.Since > r.Since:
		return q, hinted(misuse("the two times overlap"), "--before says where the other one begins; it is as long as the first")
	}
	return q, nil
}

// windows compares two times.
func (f *compareFlags) windows(cmd *cobra.Command, s *settings) error {
	q, err := f.window(cmd)
	if err != nil {
		return err
	}
	return s.withDatabase(cmd, func(db *query.DB) error {
		if err := f.checkHost(cmd, db); err != nil {
			return err
		}
		w, err := compare.ReadWindows(cmd.Context(), db, q)
		if err != nil {
			return err
		}
		if !f.json { // it has its coverage in it
			noteIncomplete(cmd, slices.Concat(w.Window.Coverage, w.Against.Coverage))
		}
		out := cmd.OutOrStdout()
		switch {
		case f.json:
			return printJSON(out, []*compare.Windows{w})
		case f.format == "markdown":
			_, err = io.WriteString(out, w.Markdown(keyText))
		case f.wide:
			err = w.Text(out, 0, keyText)
		default:
			err = w.Text(out, terminalWidth(out), keyText)
		}
		return err
	})
}
