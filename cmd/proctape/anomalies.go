package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func anomaliesCommand(s *settings) *cobra.Command {
	l := new(listing)
	var f query.AnomalyFilter
	var severity string
	cmd := &cobra.Command{
		Use: "anomalies", Short: "List what rules found: episodes with a start, a peak and an end", Args: noArgs,
		Long: `List the episodes that overlap a time: what rules found, about which process, group, job, run, GPU or host, since when and
until when, and the worst value. docs/anomalies.md describes the rules; "proctape rules list" lists them.`,
		Example: `  proctape anomalies --since -1d
  proctape anomalies --open
  proctape anomalies --rule leak --severity high --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			f.Range, f.Least = r, schema.Severity(severity)
			if severity != "" && f.Least.Rank() < 0 {
				return unknownValue("--severity", severity, "a severity", "the severities are", severityNames())
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				found, err := query.Anomalies(cmd.Context(), db, f)
				if err != nil {
					return err
				}
				cut := l.limit > 0 && len(found) > l.limit
				found = withinLimit(cmd, l, r, found)
				first, last := 0.0, 0.0
				if len(found) > 0 {
					first, last = found[0].Started, found[len(found)-1].Started
				}
				covers, err := l.coverageOf(cmd, db, r, first, last, cut)
				if err != nil {
					return err
				}
				if l.json {
					return printCovered(cmd.OutOrStdout(), found, covers)
				}
				noteIncomplete(cmd, covers)
				return printAnomalies(cmd.OutOrStdout(), found)
			})
		},
	}
	l.register(cmd, s, 100)
	l.registerJSON(cmd)
	cmd.Flags().StringVar(&f.Job, "job", "", "only episodes of this `job`, of its processes and of its runs")
	cmd.Flags().Int64Var(&f.PID, "pid", 0, "only episodes of this process `id`")
	cmd.Flags().StringSliceVar(&f.Rules, "rule", nil, "only what this `rule` found, or rules of this type; several with commas in between")
	cmd.Flags().StringVar(&severity, "severity", "", "only episodes as bad as `low`, medium, high or critical, or worse")
	cmd.Flags().BoolVar(&f.Open, "open", false, "only episodes that go on")
	return cmd
}

func severityNames() (names []string) {
	for _, s := range schema.Severities {
		names = append(names, string(s))
	}
	return names
}

func printAnomalies(w io.Writer, found []query.Anomaly) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "No anomalies.")
		return err
	}
	t := newTable(w, "STARTED\tFOR\tSEVERITY\tRULE\tHOST\tPEAK\tWHAT").leaving("HOST", "PEAK")
	for i := range found {
		a := &found[i]
		t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s", localTime(a.Started), lengthOf(a), a.Severity, term.Safe(a.Rule), cmp.Or(a.Host, "(fleet)"), peakOf(a), term.Safe(a.Description))
	}
	return t.flush()
}

// lengthOf says how long an episode went on, or that it goes on.
func lengthOf(a *query.Anomaly) string {
	switch {
	case a.Ended == nil:
		return "goes on"
	case *a.Ended <= a.Started:
		return "-"
	}
	return term.Span(*a.Ended - a.Started)
}

func peakOf(a *query.Anomaly) string {
	if a.Peak == nil {
		return "-"
	}
	return strconv.FormatFloat(*a.Peak, 'f', 1, 64)
}
