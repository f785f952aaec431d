package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/why"
)

func whyCommand(s *settings) *cobra.Command {
	var l listing
	var at timeText
	var run string
	var event int64
	cmd := &cobra.Command{
		Use: "why PID|JOB", Short: "Tell how a process lived and why it ended", Args: oneArgAtMost, ValidArgsFunction: completeJobs(s),
		Long: `Tell one process's story: of whom it was born and for which job, what it executed, how it grew, what it died of, what
its death took with it, and what of that is not known. Of a death for want of memory it names the largest processes of the
control group and of the machine, and how they grew in the minute before.

PID is the process of that number that was seen last, or the one that lived at --at. JOB lists what failed in the job and tells of
the process that it began with; --run does so for one run. --event takes the id of an event, as "proctape events --json" prints it.`,
		Example: `  proctape why 48211
  proctape why build-7
  proctape why build-7 --run 3
  proctape why 48211 --at "03:10" --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			when, err := timeFlag("at", string(at), time.Now())
			if err != nil {
				return err
			}
			if (len(args) == 1) == (event > 0) {
				return hinted(misuse("proctape why takes either a pid or job, or --event"), `for example "proctape why 48211"`)
			}
			if cmd.Flags().Changed("run") && (len(args) == 0 || run == "") {
				return hinted(misuse("--run names a run of a job"), `for example "proctape why build-7 --run 3"`)
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				if event > 0 {
					story, err := why.Event(cmd.Context(), db, event)
					return l.printStory(cmd, story, err, fmt.Sprintf("event %d", event))
				}
				if run != "" {
					return l.tellOfJob(cmd, db, args[0], run)
				}
				return l.tellOf(cmd, db, args[0], when)
			})
		},
	}
	cmd.Flags().Var(&at, "at", "of several processes of a pid, the one that lived at this `time`")
	cmd.Flags().Int64Var(&event, "event", 0, "the process that the event of this `id` is of")
	cmd.Flags().StringVar(&run, "run", "", "of a job: only this run, by its `number` or id")
	completeRuns(cmd, s)
	cmd.Flags().StringVar(&l.host, "host", "", "only this `host`")
	completeHosts(cmd, s)
	l.registerJSON(cmd)
	return cmd
}

// tellOf prints the story of a pid, or else of a job.
func (l *listing) tellOf(cmd *cobra.Command, db *query.DB, name string, when time.Time) error {
	pid, err := strconv.ParseInt(name, 10, 32)
	if err == nil && pid > 0 {
		at := 0.0
		if !when.IsZero() {
			at = timestamp(when)
		}
		story, err := why.Process(cmd.Context(), db, query.Identity{Host: l.host, PID: pid}, at)
		if !errors.Is(err, why.ErrNoProcess) {
			return l.printStory(cmd, story, err, "")
		}
	}
	if _, err := query.JobScopes(cmd.Context(), db, query.JobFilter{Name: name}); errors.Is(err, query.ErrNoJob) && pid > 0 {
		return l.printStory(cmd, nil, why.ErrNoProcess, "process "+name)
	}
	return l.tellOfJob(cmd, db, name, "")
}

// tellOfJob prints the story of a job, or of one run of it.
func (l *listing) tellOfJob(cmd *cobra.Command, db *query.DB, name, run string) error {
	if err := l.checkJob(cmd, db, name); err != nil {
		return err
	}
	job, within := query.JobFilter{Name: name, Host: l.host}, query.Range{Host: l.host}
	if run != "" {
		if err := narrowToRun(cmd, db, job, run, &within); err != nil {
			return err
		}
	}
	story, err := why.JobWithin(cmd.Context(), db, job, within)
	if err != nil {
		return err
	}
	covers, err := query.JobCoverage(cmd.Context(), db, job)
	if err != nil {
		return err
	}
	if l.json {
		return printCovered(cmd.OutOrStdout(), []*why.JobStory{story}, covers)
	}
	noteIncomplete(cmd, covers, ofJobs...)
	return printJobStory(cmd.OutOrStdout(), story)
}

func (l *listing) printStory(cmd *cobra.Command, story *why.Story, err error, what string) error {
	if errors.Is(err, why.ErrNoProcess) {
		return hinted(fmt.Errorf("nothing is recorded of %s%s", what, onHost(l.host)), `"proctape events --since -1h" lists what started and ended, with pids; --at picks a time`)
	}
	if err != nil {
		return err
	}
	if l.json {
		return printJSON(cmd.OutOrStdout(), []*why.Story{story})
	}
	return printStory(cmd.OutOrStdout(), story)
}

func onHost(host string) string {
	if host == "" {
		return ""
	}
	return " on host " + host
}

func printJobStory(out io.Writer, s *why.JobStory) error {
	if len(s.Failures) == 0 {
		err := say(out, "Nothing failed in job %s, as far as it is recorded.", s.Job)
		return err
	}
	last := ""
	if s.More {
		last = "the last "
	}
	_ = say(out, "Job %s: %s%d %s", s.Job, last, len(s.Failures), plural(int64(len(s.Failures)), "failure", "failures"))
	for _, e := range s.Failures {
		_ = say(out, "  %s  %s%d  %s  %s", localTime(e.Timestamp), ofStep(e.Sheet), e.PID, outcome(e), printable(e.Command))
	}
	if s.First == nil {
		return nil
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return printStory(out, s.First)
}

func ofStep(sheet *int64) string {
	if sheet == nil {
		return ""
	}
	return fmt.Sprintf("step %d  ", *sheet)
}

// printStory prints the story of a process. What fails is told by its last line.
func printStory(out io.Writer, s *why.Story) error {
	_ = say(out, "%d on %s: %s.", s.Process.PID, s.Process.Host, oneLine(s.Verdict))
	if s.Others > 0 {
		_ = say(out, "(%d other %s had this pid; --at picks one by time)", s.Others, plural(int64(s.Others), "process", "processes"))
	}
	if s.Process.Command != "" {
		_ = say(out, "  %s", oneLine(s.Process.Command))
	}
	for _, m := range s.Moments {
		mark, whom := " ", ""
		if m.Kind == "death" {
			mark = "■"
		}
		if m.Kind == "anomaly" {
			mark = "◆"
		}
		if m.PID != s.Process.PID {
			whom = fmt.Sprintf("%d ", m.PID)
		}
		_ = say(out, "%s  %s %s%s", localTime(m.Timestamp), mark, whom, oneLine(m.Text))
	}
	if s.Shortage != nil {
		printShortage(out, s.Shortage)
	}
	_ = say(out, "Used: %s", usedText(&s.Used))
	unknown := "nothing of it, as far as that can be told"
	if len(s.Unknown) > 0 {
		unknown = strings.Join(s.Unknown, "; ")
	}
	_ = say(out, "Not known: %s.", oneLine(unknown))
	line := query.Incomplete(s.Coverage)
	if line == "" {
		line = "the record of its time is complete"
	}
	err := say(out, "Of its time: %s", line)
	return err
}

func printShortage(out io.Writer, s *query.Shortage) {
	if s.Group != nil {
		printHolders(out, fmt.Sprintf("in cgroup %s, %d %s with %.1f MiB", *s.Group, s.GroupCount, plural(int64(s.GroupCount), "process", "processes"), s.GroupRSS), s.InGroup)
	}
	printHolders(out, fmt.Sprintf("on the machine, %d %s, %.1f of %.1f MiB used", s.Count, plural(int64(s.Count), "process", "processes"), s.MachineUsed, s.MachineSize), s.OnMachine)
}

func printHolders(out io.Writer, where string, holders []query.Holder) {
	_ = say(out, "  the largest %s:", oneLine(where))
	_ = say(out, "  %8s %12s %9s %9s  %s", "PID", "BEFORE MiB", "MiB", "MiB/s", "COMMAND")
	for _, h := range holders {
		victim := ""
		if h.Victim {
			victim = " ■"
		}
		_ = sayFitted(out, "  %8d %12s %9.1f %9s  %s%s", h.PID, orDash(h.Before, oneDecimal), h.RSS, orDash(h.Growth, signed), printable(h.Command), victim)
	}
}

func signed(v float64) string { return fmt.Sprintf("%+.1f", v) }

func usedText(u *why.Used) string {
	source := "as far as samples show"
	if u.Within != nil {
		source = fmt.Sprintf("at least; it ended unseen, in the last %s s of that time", oneDecimal(*u.Within))
	} else if u.Source == "exit" {
		source = "by the kernel's account at its end"
	}
	return fmt.Sprintf("CPU %s s, peak %s MiB, read %s MiB, wrote %s MiB, lived %s s (%s)", orDash(u.CPUSeconds, twoDecimals), orDash(u.PeakRSS, oneDecimal),
		orDash(u.Read, oneDecimal), orDash(u.Write, oneDecimal), orDash(u.Lifetime, oneDecimal), source)
}
