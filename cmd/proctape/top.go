package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/top"
)

var topColumns = []column[query.TopRow]{
	{name: "host", head: "HOST", value: func(r *query.TopRow) any { return r.Host }, text: true, drop: 5},
	{name: "pid", head: "PID", value: func(r *query.TopRow) any {
		if r.Process == nil {
			return nil
		}
		return r.Process.PID
	}},
	{name: "cpu", head: "CPU%", value: func(r *query.TopRow) any { return r.CPU }},
	{name: "cpu_seconds", head: "CPU s", value: func(r *query.TopRow) any { return r.CPUSeconds }, show: func(r *query.TopRow) string { return twoDecimals(r.CPUSeconds) }},
	{name: "mem", head: "RSS MiB", value: func(r *query.TopRow) any { return r.Memory }},
	{name: "growth", head: "GROWTH MiB", value: func(r *query.TopRow) any { return r.Growth }, show: func(r *query.TopRow) string { return fmt.Sprintf("%+.1f", r.Growth) }, drop: 2},
	{name: "read", head: "READ MiB", value: func(r *query.TopRow) any { return valueOf(r.Read) }, drop: 3},
	{name: "write", head: "WRITE MiB", value: func(r *query.TopRow) any { return valueOf(r.Write) }, drop: 3},
	{name: "sent", head: "SENT MiB", value: func(r *query.TopRow) any { return valueOf(r.Sent) }, extra: true},
	{name: "received", head: "RECEIVED MiB", value: func(r *query.TopRow) any { return valueOf(r.Received) }, extra: true},
	{name: "forks", head: "FORKS", value: func(r *query.TopRow) any { return r.Forks }, drop: 2},
	{name: "processes", head: "PROCESSES", value: func(r *query.TopRow) any { return r.Processes }, drop: 4},
	{name: "minor_faults", head: "FAULTS", value: func(r *query.TopRow) any { return valueOf(r.MinorFaults) }, show: func(r *query.TopRow) string {
		return atLeast(r.AtLeast, "minor_faults", orDash(r.MinorFaults, wholeNumber))
	}, extra: true},
	{name: "major_faults", head: "MAJOR FAULTS", value: func(r *query.TopRow) any { return valueOf(r.MajorFaults) }, show: func(r *query.TopRow) string {
		return atLeast(r.AtLeast, "major_faults", orDash(r.MajorFaults, wholeNumber))
	}, extra: true},
}

func topCommand(s *settings) *cobra.Command {
	t := &topFlags{by: "process", metric: "cpu", speed: 1}
	cmd := &cobra.Command{
		Use: "top", Short: "Show who uses most, or used most: a screen that goes back in time", Args: noArgs,
		Long: `On a terminal, show what the processes use, live or as it was at a time (--at), on a screen that goes back and forth in
time: ? lists its keys. --host and the flags that pick processes are its filter at first, and --sort its order.

With --once, --since, --run, --limit, --columns, --by, --json or --csv, or without a terminal, list who used most: at a time (--at; now
without it), or within a range (--since, --until, or the time of --run). At a time, it is of the snapshot then: CPU, I/O, faults and forks are those since the snapshot before it. --by sums up what belongs together. Memory of a
line is the sum of its processes' largest, which may not have come at once, and pages that they share count for each.

With --json and --interval, print a frame each interval until Ctrl-C, one object a line: its "rows" are the lines of --once --json, beside
"coverage" and the "anomalies" that go on. With --server or --context, follow a log elsewhere without a database: what comes from then
on is shown, and kept for an hour at most in a folder that goes at the end. A reader's key is enough. With --at the frames begin there and go on, --speed times as fast as it was, until now.`,
		Example: `  proctape top
  proctape top --at "03:10" --job build-7
  proctape top --once --sort mem
  proctape top --at "03:10" --by command
  proctape top --since -1h --by user
  proctape top --server nats://build07:4222 --creds reader.nk
  proctape top --json --interval 2s | jq -c '[.time, .all.cpu_seconds, (.anomalies | length)]'
  proctape top --since yesterday --until today --by parent --sort forks`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTop(cmd, s, t) },
	}
	f := cmd.Flags()
	t.listing.register(cmd, s, 20)
	f.Lookup("newest").Hidden = true
	f.BoolVar(&t.once, "once", false, "list once, also on a terminal")
	f.BoolVar(&t.noMouse, "no-mouse", false, "leave the mouse to the terminal, for its own selection")
	f.Var(&t.at, "at", "as it was at this `time`")
	f.DurationVar(&t.interval, "interval", 2*time.Second, "time between two frames of the screen, or of --json that goes on")
	f.Float64Var(&t.speed, "speed", t.speed, "with --json, --interval and --at, how many `times` as fast as it was the past goes on")
	f.StringVar(&t.by, "by", t.by, "a line for each: "+strings.Join(query.TopBy, ", "))
	f.BoolVar(&t.json, "json", false, "print JSON, one object a line")
	f.BoolVar(&t.csv, "csv", false, "print comma-separated values, with a line of names first")
	f.BoolVar(&t.wide, "wide", false, "show all columns, and do not shorten text to the terminal's width")
	f.StringSliceVar(&t.columns, "columns", nil, "show these `columns`: "+strings.Join(columnNames(topColumnsBy("process", "cpu")), ", "))
	f.StringVar(&t.metric, "sort", t.metric, "the most first by: "+strings.Join(query.TopMetrics, ", "))
	mustComplete(cmd, "by", query.TopBy)
	mustComplete(cmd, "sort", query.TopMetrics)
	mustComplete(cmd, "columns", columnNames(topColumnsBy("process", "cpu")))
	t.filterFlags.register(cmd, s, "job", "run", "step", "pid", "user", "command", "cgroup")
	return cmd
}

// sortedBy are the columns that a figure is made of, where they are shown for its sake alone.
var sortedBy = map[string][]string{"net": {"sent", "received"}, "faults": {"minor_faults", "major_faults"}}

// topColumnsBy are the columns of a top whose lines are about something, sorted by a figure.
func topColumnsBy(by, metric string) []column[query.TopRow] {
	columns := slices.Clone(topColumns)
	for i := range columns {
		columns[i].extra = columns[i].extra && !slices.Contains(sortedBy[metric], columns[i].name)
	}
	if by != "process" && by != "parent" {
		columns = slices.DeleteFunc(columns, func(c column[query.TopRow]) bool { return c.name == "pid" })
	}
	if by != "process" && by != "parent" || by == "host" {
		columns = slices.DeleteFunc(columns, func(c column[query.TopRow]) bool { return c.name == "host" })
	}
	head := strings.ToUpper(by)
	if by == "process" {
		head = "COMMAND"
	}
	return append(columns, column[query.TopRow]{name: "of", head: head, text: true, value: func(r *query.TopRow) any { return topText(by, r) }})
}

// topText says what a line is about.
func topText(by string, r *query.TopRow) string {
	switch by {
	case "process":
		return r.Key + ofJob(r.Process.JobID, r.Process.Fleet, r.Process.Sheet)
	case "parent":
		return dashIfEmpty(r.Process.Command)
	}
	return keyText(by, r.Key)
}

// keyText is the key of a line about something that processes share.
func keyText(by, key string) string {
	switch {
	case by == "all":
		return "processes"
	case key == "" && by == "job":
		return "(of no job)"
	case key == "":
		return "(not known)"
	case by == "user":
		var uid int64
		if _, err := fmt.Sscan(key, &uid); err == nil {
			return userName(uid)
		}
	}
	return key
}

func runTop(cmd *cobra.Command, s *settings, t *topFlags) error {
	if !slices.Contains(query.TopBy, t.by) {
		return unknownValue("--by", t.by, "what a line can be about", "it is one of", query.TopBy)
	}
	if !slices.Contains(query.TopMetrics, t.metric) {
		return unknownValue("--sort", t.metric, "a figure to sort by", "it is one of", query.TopMetrics)
	}
	r, at, err := t.times()
	if err != nil {
		return err
	}
	filter, err := t.filter(cmd, r)
	if err != nil {
		return err
	}
	to, err := newSink(&t.view, cmd.OutOrStdout(), topColumnsBy(t.by, t.metric), nil)
	if err != nil {
		return err
	}
	filter.Limit = t.limit
	if err := t.checkInterval(cmd, wantsScreen(cmd)); err != nil {
		return err
	}
	if followsLog(cmd, s) {
		return t.follow(cmd, s, &filter, at)
	}
	if wantsScreen(cmd) {
		return t.withJob(cmd, s, t.job, func(db *query.DB) error {
			return showTop(cmd, t, &filter, at, 0, top.NewDatabase(db, teller(db)))
		})
	}
	return t.withJob(cmd, s, t.job, func(db *query.DB) error {
		q := query.TopQuery{Filter: filter, By: t.by, Sort: t.metric}
		if err := t.narrow(cmd, db, &q.Range); err != nil {
			return err
		}
		if cmd.Flags().Changed("interval") {
			return t.frames(cmd, db, q, at)
		}
		answer, err := t.ask(cmd, db, q, at)
		if err != nil {
			return err
		}
		return printTop(cmd, t, to, answer)
	})
}

// times are the range, or the one time, that is asked for.
func (t *topFlags) times() (r query.Range, at time.Time, err error) {
	if r, err = t.timeRange(); err != nil {
		return r, at, err
	}
	if t.at != "" && (t.since != "" || t.until != "" || t.run != "") {
		return r, at, hinted(misuse("--at does not go with --since, --until and --run"), "--at is one time, the others are a range")
	}
	if t.until != "" && t.since == "" {
		return r, at, hinted(misuse("--until without --since"), "--at is for one time")
	}
	at, err = timeFlag("at", string(t.at), time.Now())
	return r, at, err
}

// ask asks for who used most at a time, which is now where it is zero, or within a range.
func (t *topFlags) ask(cmd *cobra.Command, db *query.DB, q query.TopQuery, at time.Time) (*query.Top, error) {
	now := time.Now()
	if t.since != "" || t.run != "" {
		if q.Until == 0 {
			q.Until = timestamp(now)
		}
		return query.TopOf(cmd.Context(), db, q)
	}
	if at.IsZero() {
		at = now
	}
	return query.TopAt(cmd.Context(), db, timestamp(at), q)
}

func printTop(cmd *cobra.Command, t *topFlags, to sink[query.TopRow], answer *query.Top) error {
	if len(answer.Rows) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no processes were recorded then, or none that the flags pick")
	}
	tellCoverage(cmd, &to, answer.Coverage)
	if len(answer.Rows) == 0 && !t.json {
		return nil
	}
	if !t.json && !t.csv {
		if err := say(cmd.OutOrStdout(), "%s", topHead(answer)); err != nil {
			return err
		}
	}
	for i := range answer.Rows {
		if err := to.add(&answer.Rows[i]); err != nil {
			return err
		}
	}
	if err := to.flush(); err != nil {
		return err
	}
	if n := answer.Lines - len(answer.Rows); n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: there %s %d more (--limit)\n", plural(int64(n), "is", "are"), n)
	}
	return nil
}

// topHead says of what a top is.
func topHead(t *query.Top) string {
	text := fmt.Sprintf("%s to %s: %.2f CPU s, %d %s, %d %s", localTime(t.From), localTime(t.To), t.All.CPUSeconds, t.All.Processes,
		plural(t.All.Processes, "process", "processes"), t.All.Forks, plural(t.All.Forks, "start", "starts"))
	switch t.Source {
	case "minutes":
		text += ", of one-minute means"
	case "both":
		text += ", partly of one-minute means"
	}
	return text
}
