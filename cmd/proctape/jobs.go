package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/term"
)

func jobsCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "jobs", Short: "List jobs", Args: noArgs,
		Long: `List jobs, the one last seen last. A process belongs to the job that the variable PROCTAPE_JOB_ID in its
environment names, or to its parent's; PROCTAPE_SHEET is the job's step.`,
		Example: `  PROCTAPE_JOB_ID=build-7 PROCTAPE_SHEET=1 make
  proctape jobs`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.span()
			if err != nil {
				return err
			}
			r.Newest = true
			return s.reading(cmd, func(db *query.DB) error {
				jobs, err := db.Jobs(cmd.Context(), r)
				if err != nil {
					return err
				}
				jobs = cut(cmd, l, r, jobs)
				if l.json {
					return printJSON(cmd.OutOrStdout(), jobs)
				}
				return printJobs(cmd, jobs)
			})
		},
	}
	cmd.Flags().StringVar(&l.since, "since", "", "seen at this `time` or later")
	cmd.Flags().IntVar(&l.limit, "limit", 100, "at most this `many`; 0 for all")
	l.registerJSON(cmd)
	return cmd
}

func printJobs(cmd *cobra.Command, jobs []query.Job) error {
	if len(jobs) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no jobs were seen; a process names its job in PROCTAPE_JOB_ID")
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "JOB\tLAST SEEN\tPEAK RSS MB\tMAX CPU%\tCPU s\tPIDS\tSPAWNS")
	for _, j := range jobs {
		t.row("%s\t%s\t%s\t%s\t%.2f\t%d\t%d", command(j.JobID), known(j.LastSeen, clock), known(j.PeakRSS, oneDecimal),
			known(j.MaxCPU, oneDecimal), j.CPUSeconds, j.PIDs, j.Spawns)
	}
	return t.flush()
}

func oneDecimal(v float64) string { return fmt.Sprintf("%.1f", v) }

// known shows a value that may be unknown.
func known[T any](v *T, show func(T) string) string {
	if v == nil {
		return "-"
	}
	return show(*v)
}

func profileCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "profile JOB", Short: "Show what a job used", Args: oneArg("job"), ValidArgsFunction: s.offerJobs(),
		Example: `  proctape profile build-7 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.reading(cmd, func(db *query.DB) error {
				p, err := db.Profile(cmd.Context(), args[0])
				if errors.Is(err, query.ErrNoJob) {
					return noJob(args[0])
				} else if err != nil {
					return err
				}
				if l.json {
					return printJSON(cmd.OutOrStdout(), []*query.Profile{p})
				}
				return printProfile(cmd, p)
			})
		},
	}
	l.registerJSON(cmd)
	return cmd
}

func noJob(name string) error {
	return hinted(fmt.Errorf("nobody ran a job %q while it was recorded", name), `"proctape jobs" lists the jobs`)
}

func printProfile(cmd *cobra.Command, p *query.Profile) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Job %s\n", command(p.JobID))
	if p.FirstSeen != nil && p.LastSeen != nil {
		fmt.Fprintf(out, "  seen              %s to %s\n", clock(*p.FirstSeen), clock(*p.LastSeen))
	}
	fmt.Fprintf(out, "  peak memory       %.1f MB, of its largest process\n  CPU time          %.2f s\n  busiest process   %.1f%% of one core\n",
		p.PeakRSS, p.CPUSeconds, p.MaxCPU)
	fmt.Fprintf(out, "  processes         %d pids seen, %d spawns, %d exits\n", p.PIDs, p.Spawns, p.Exits)
	switch p.Resolution {
	case "part":
		fmt.Fprintln(out, "  samples           the older are gone; the figures here are of all of them")
	case "totals":
		fmt.Fprintln(out, "  samples           gone; the figures here are what they came to")
	}
	if len(p.Sheets) > 0 {
		t := newTable(out, "\n  STEP\tPEAK RSS MB\tMAX CPU%\tCPU s")
		for _, n := range slices.Sorted(maps.Keys(p.Sheets)) {
			t.row("  %d\t%.1f\t%.1f\t%.2f", n, p.Sheets[n].PeakRSS, p.Sheets[n].MaxCPU, p.Sheets[n].CPUSeconds)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	for i, name := range p.HotspotNames() {
		if i == 0 {
			fmt.Fprintln(out, "\n  System calls, time % summed over samples:")
		}
		fmt.Fprintf(out, "  %s %.1f%%\n", command(name), p.Hotspots[name])
	}
	return nil
}

func reportCommand(s *settings) *cobra.Command {
	l := new(listing)
	format := "text"
	cmd := &cobra.Command{
		Use: "report JOB", Short: "Report on a job", Args: oneArg("job"), ValidArgsFunction: s.offerJobs(),
		Long: `Report what a job used and what happened to its processes. --format classic is the text that other
tools read; it reports a job that nobody ran too.`,
		Example: `  proctape report build-7
  proctape report build-7 --format classic`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "classic" {
				return hinted(misuse("--format %q is no format", format), "the formats are text and classic")
			}
			if format == "classic" && l.json {
				return misuse("--format classic and --json exclude each other")
			}
			return s.reading(cmd, func(db *query.DB) error {
				r, err := report.Read(cmd.Context(), db, args[0], time.Now())
				if err != nil {
					return err
				}
				return printReport(cmd, r, format, l.json)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text or classic")
	l.registerJSON(cmd)
	return cmd
}

func printReport(cmd *cobra.Command, r *report.Report, format string, asJSON bool) error {
	out := cmd.OutOrStdout()
	switch {
	case format == "classic":
		_, err := fmt.Fprint(out, forTerminal(out, r.Classic()))
		return err
	case r.Profile == nil:
		return noJob(r.Name)
	case asJSON:
		return printJSON(out, []*report.Report{r})
	}
	if err := printProfile(cmd, r.Profile); err != nil {
		return err
	}
	if n := r.Counts["signal"] + r.Counts["kill"]; n > 0 {
		fmt.Fprintf(out, "\n  Killed or signalled: %d\n", n)
		for _, e := range r.Signals {
			fmt.Fprintf(out, "  %s  pid %d  %s  %s\n", clock(e.Timestamp), e.PID, outcome(e), command(e.Details))
		}
	}
	if n := r.Counts["oom"]; n > 0 {
		fmt.Fprintf(out, "\n  Out of memory: %d\n", n)
		for _, e := range r.OOMs {
			fmt.Fprintf(out, "  %s  pid %d  %s\n", clock(e.Timestamp), e.PID, command(e.Details))
		}
	}
	return nil
}

// forTerminal makes text safe to print where w is a terminal; into a file or a pipe it goes as it is.
func forTerminal(w io.Writer, text string) string {
	if r, ok := w.(*reader); !ok || !r.terminal() {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(term.Safe(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}
