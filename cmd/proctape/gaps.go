package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func gapsCommand(s *settings) *cobra.Command {
	l := new(listing)
	var kind string
	cmd := &cobra.Command{
		Use: "gaps", Short: "List what is missing from the recording, and how much is covered", Args: noArgs,
		Long: `List the gaps that overlap a time: what is known to be missing, and why. docs/gaps.md says what each kind means,
and what to do about it. The second table shows of each host, in what share of the time all was known of each
kind of data; without --since, of the last hour. --json prints the gaps and then the coverage, one object a
line.`,
		Example: `  proctape gaps --since "yesterday 00:00" --until "today 00:00"
  proctape gaps --kind missed_ticks`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			only, err := gapKind(kind)
			if err != nil {
				return err
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error { return listGaps(cmd, db, l, r, only) })
		},
	}
	l.register(cmd, s, 100)
	l.registerJSON(cmd)
	cmd.Flags().StringVar(&kind, "kind", "", "only gaps of this `kind`")
	completeGapKinds(cmd)
	return cmd
}

// gapKind is the kind of gap that the flag --kind names; empty for all.
func gapKind(name string) (schema.GapKind, error) {
	kind := schema.GapKind(name)
	if _, known := kind.Info(); !known && name != "" {
		return "", unknownValue("--kind", name, "a kind of gap", "the kinds are", gapKindNames())
	}
	return kind, nil
}

func gapKindNames() (names []string) {
	for _, k := range schema.GapKinds() {
		names = append(names, string(k.Kind))
	}
	return names
}

func completeGapKinds(cmd *cobra.Command) {
	if err := cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(gapKindNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag
	}
}

// listGaps prints the gaps of a kind in a range, or of all kinds, and how much of it is covered. To a range without an end
// belong the hosts that are silent now, and what producers made and has not come.
func listGaps(cmd *cobra.Command, db *query.DB, l *listing, r query.Range, only schema.GapKind) error {
	gaps, err := query.Gaps(cmd.Context(), db, r, only)
	if err != nil {
		return err
	}
	gaps = withinLimit(cmd, l, r, gaps)
	now := float64(time.Now().UnixNano()) / 1e9
	if r.Until == 0 && (only == "" || only == schema.GapSilence) {
		silent, err := query.Silences(cmd.Context(), db, now, l.host)
		if err != nil {
			return err
		}
		gaps = append(gaps, silent...)
	}
	if r.Until == 0 && (only == "" || only == schema.GapMissing) {
		notCome, err := query.NotCome(cmd.Context(), db, now, l.host)
		if err != nil {
			return err
		}
		gaps = append(gaps, notCome...)
	}
	if r.Until == 0 {
		r.Until = now
	}
	if r.Since == 0 {
		r.Since = r.Until - 3600
	}
	covers, err := query.HostCoverage(cmd.Context(), db, r)
	if err != nil {
		return err
	}
	if l.json {
		return errors.Join(printJSON(cmd.OutOrStdout(), gaps), printJSON(cmd.OutOrStdout(), covers))
	}
	return printGaps(cmd, gaps, covers)
}

func printGaps(cmd *cobra.Command, gaps []query.Gap, covers []query.Coverage) error {
	out := cmd.OutOrStdout()
	if len(gaps) == 0 {
		fmt.Fprintln(out, "No gaps.")
	} else {
		t := newTable(out, "NOTICED\tHOST\tKIND\tMISSING\tFROM\tTO\tDETAILS").leaving("NOTICED", "HOST", "TO")
		for _, g := range gaps {
			count := "?"
			if g.Count != nil {
				count = strconv.FormatInt(*g.Count, 10)
			}
			t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s", localTime(g.Timestamp), g.Host, term.Safe(string(g.Kind)), count, orDash(g.From, localTime), orDash(g.To, localTime), printable(g.Details))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	t := newTable(out, "HOST\tFROM\tTO\tSNAPSHOTS\tSTARTS AND ENDS\tCPU\tI/O\tGAPS").leaving("I/O", "CPU", "TO", "FROM", "GAPS")
	for _, c := range covers {
		t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d", c.Host, localTime(c.From), localTime(c.To), share(c.Snapshots), share(c.Events), share(c.CPU), share(c.IO), c.Gaps)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for i := range covers {
		if line := query.Incomplete(covers[i : i+1]); line != "" {
			_ = say(out, "%s: %s", covers[i].Host, line) // what fails is told by what follows
		}
	}
	return nil
}

// share is a share in percent, of which all is only what lacks nothing.
func share(percent float64) string {
	return fmt.Sprintf("%.2f%%", math.Floor(100*percent)/100)
}
