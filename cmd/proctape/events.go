package main

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

var eventColumns = []column[query.Event]{
	{name: "time", head: "TIME", value: func(e *query.Event) any { return e.Timestamp }, time: true},
	{name: "host", head: "HOST", value: func(e *query.Event) any { return e.Host }, drop: 2, text: true},
	{name: "event", head: "EVENT", value: func(e *query.Event) any { return e.Type }},
	{name: "pid", head: "PID", value: func(e *query.Event) any { return e.PID }},
	{name: "outcome", head: "OUTCOME", value: func(e *query.Event) any { return outcome(*e) }, text: true},
	{name: "ppid", head: "PPID", value: func(e *query.Event) any { return valueOf(e.PPID) }, extra: true},
	{name: "user", head: "USER", value: func(e *query.Event) any { return valueOf(e.UID) }, show: func(e *query.Event) string { return orDash(e.UID, userName) }, extra: true},
	{name: "lifetime", head: "LIFETIME s", value: func(e *query.Event) any { return valueOf(e.Lifetime) }, extra: true},
	{name: "within", head: "WITHIN s", value: func(e *query.Event) any { return valueOf(e.Within) }, extra: true},
	{name: "cpu", head: "CPU s", value: func(e *query.Event) any { return valueOf(e.CPUSeconds) }, show: eventCPU, drop: 3},
	{name: "system", head: "SYSTEM s", value: func(e *query.Event) any { return valueOf(e.SystemCPU) }, show: func(e *query.Event) string { return orDash(e.SystemCPU, twoDecimals) }, extra: true},
	{name: "peak", head: "PEAK MiB", value: func(e *query.Event) any { return valueOf(e.PeakRSS) }, drop: 3},
	{name: "read", head: "READ MiB", value: func(e *query.Event) any { return valueOf(e.Read) }, extra: true},
	{name: "write", head: "WRITE MiB", value: func(e *query.Event) any { return valueOf(e.Write) }, extra: true},
	{name: "job", head: "JOB", value: func(e *query.Event) any { return valueOf(e.JobID) }, show: func(e *query.Event) string { return jobStep(e.JobID, e.Sheet) }, text: true, extra: true},
	{name: "details", head: "DETAILS", value: func(e *query.Event) any { return e.Details }, text: true, extra: true},
	{name: "source", head: "SOURCE", value: func(e *query.Event) any { return e.Source }, extra: true},
	{name: "command", head: "COMMAND", value: func(e *query.Event) any { return e.Command }, show: func(e *query.Event) string { return e.Command + ofJob(e.JobID, e.Fleet, e.Sheet) }, text: true},
}

// eventCPU is the CPU of a process that ended: at least that, when nobody saw the end.
func eventCPU(e *query.Event) string {
	if e.CPUSeconds != nil && e.Within != nil {
		return "≥" + twoDecimals(*e.CPUSeconds)
	}
	return orDash(e.CPUSeconds, twoDecimals)
}

func eventsCommand(s *settings) *cobra.Command {
	l, f := new(listing), new(filterFlags)
	cmd := &cobra.Command{
		Use: "events", Short: "List starts, ends and kills of processes", Args: noArgs,
		Long: `List starts, ends and kills of processes, oldest first. Without --since it lists the newest. A death by a signal is
one line, its exit, with the signal and its cause: signal, kill, or oom for want of memory. --json has both of its events. What rules
found (proctape anomalies) stands between them, with its severity as the outcome.`,
		Example: `  proctape events --since -1h --failed
  proctape events --job build-7 --type exit --signal KILL
  proctape events --user ci --columns time,command,cpu --sort cpu`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			filter, err := f.filter(cmd, r)
			if err != nil {
				return err
			}
			l.joins = !l.json
			to, err := newSink(&l.view, cmd.OutOrStdout(), eventColumns, func(e *query.Event) bool { return e.Signal != nil })
			if err != nil {
				return err
			}
			return l.withJob(cmd, s, f.job, func(db *query.DB) error {
				if err := f.narrow(cmd, db, &r); err != nil {
					return err
				}
				return list(cmd, db, l, r, func(r query.Range) iter.Seq2[query.Event, error] {
					filter.Range = r
					events := query.EventSeq(cmd.Context(), db, filter)
					if l.json || r.Limit == 1 {
						return events
					}
					events = query.WithCauses(events)
					if l.csv || r.Reverse || picksEvents(&filter) {
						return events
					}
					return withAnomalies(cmd.Context(), db, r, query.AnomalyFilter{Job: filter.Job, PID: filter.PID}, events)
				}, to, eventColumns, "no events in this time", query.DataEvents)
			})
		},
	}
	registerList(l, cmd, s, eventColumns)
	f.register(cmd, s, "type", "job", "run", "step", "pid", "user", "command", "failed", "exit-code", "signal")
	return cmd
}

// picksEvents reports whether a filter asks for what only events have.
func picksEvents(f *query.Filter) bool {
	return len(f.Types) > 0 || f.Failed || f.ExitCode != nil || f.Signal != nil || f.UID != nil || f.Command != "" || f.Step != nil || f.After != ""
}

// outcome says how a process ended.
func outcome(e query.Event) string {
	switch {
	case e.Type == "anomaly":
		return e.Cause
	case e.Signal != nil:
		text := signalText(*e.Signal)
		if e.Core {
			text += ", core dumped"
		}
		if cause := cmp.Or(e.Cause, e.Type); cause == "oom" {
			text += ", out of memory"
		}
		return text
	case e.ExitCode != nil:
		return fmt.Sprintf("exit %d", *e.ExitCode)
	case e.Type == "exit" && e.Within != nil:
		return fmt.Sprintf("unknown, in %s s", oneDecimal(*e.Within))
	case e.Type == "exit":
		return "unknown"
	}
	return "-"
}
