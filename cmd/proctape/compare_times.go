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

// timesFlags are the flags of compare that are about times.
type timesFlags struct {
	before timeText
	by     []string
}

func (f *timesFlags) register(cmd *cobra.Command, l *listing) {
	cmd.Flags().Var(&l.since, "since", "without a job: compare from this `time` on, for example -1h or \"2026-11-23 03:10\"")
	cmd.Flags().Var(&l.until, "until", "up to this `time` (default: now)")
	cmd.Flags().Var(&f.before, "before", "with as long from this `time` on (default: what is right before --since)")
	cmd.Flags().StringSliceVar(&f.by, "by", nil, "compare only by `these`: "+strings.Join(compare.WindowBy, ", "))
	cmd.Flags().IntVar(&l.limit, "limit", 20, "show at most this `many` differences; 0 for all")
	mustComplete(cmd, "by", compare.WindowBy)
}

// question is the question of two times.
func (f *timesFlags) question(cmd *cobra.Command, l *listing, least float64) (q compare.WindowQuestion, err error) {
	if name := firstChanged(cmd, runFlags...); name != "" {
		return q, hinted(misuse("--%s is of the runs of a job, and no job is named", name), "proctape compare JOB --%s …", name)
	}
	for _, by := range f.by {
		if !slices.Contains(compare.WindowBy, by) {
			return q, unknownValue("--by", by, "what a difference can be about", "it is one of", compare.WindowBy)
		}
	}
	r, err := l.timeRange()
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
	q = compare.WindowQuestion{Filter: query.Filter{Range: query.Range{Since: r.Since, Until: r.Until, Host: l.host, Limit: l.limit}}, Before: timestamp(before), By: f.by, MinRelative: least}
	switch {
	case r.Since >= r.Until:
		return q, misuse("--since is not before now")
	case q.Before > 0 && q.Before < r.Until && q.Before+r.Until-r.Since > r.Since:
		return q, hinted(misuse("the two times overlap"), "--before says where the other one begins; it is as long as the first")
	}
	return q, nil
}

// compare compares two times.
func (f *timesFlags) compare(cmd *cobra.Command, s *settings, l *listing, format string, least float64) error {
	q, err := f.question(cmd, l, least)
	if err != nil {
		return err
	}
	return s.withDatabase(cmd, func(db *query.DB) error {
		if err := l.checkHost(cmd, db); err != nil {
			return err
		}
		w, err := compare.ReadWindows(cmd.Context(), db, q)
		if err != nil {
			return err
		}
		if !l.json { // it has its coverage in it
			noteIncomplete(cmd, slices.Concat(w.Window.Coverage, w.Against.Coverage))
		}
		out := cmd.OutOrStdout()
		switch {
		case l.json:
			return printJSON(out, []*compare.Windows{w})
		case format == "markdown":
			_, err = io.WriteString(out, w.Markdown(keyText))
		case l.wide:
			err = w.Text(out, 0, keyText)
		default:
			err = w.Text(out, terminalWidth(out), keyText)
		}
		return err
	})
}
