package top

import (
	"cmp"
	"fmt"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

// anomalyMark is the mark of an episode, worse ones with more to it, and its role.
func anomalyMark(s schema.Severity) (string, role) {
	switch s {
	case schema.SeverityCritical:
		return "◆!!", critical
	case schema.SeverityHigh:
		return "◆!", bad
	case schema.SeverityLow:
		return "◆", faint
	}
	return "◆", warn
}

// goesOn reports whether an episode has begun at a time and has not ended.
func goesOn(a *query.Anomaly, at float64) bool {
	return a.Started <= at && (a.Ended == nil || *a.Ended > at)
}

// aboutProcess is the process that an episode is about.
func aboutProcess(a *query.Anomaly) (ID, bool) {
	if a.Kind != schema.AboutProcess || a.PID == nil || a.StartTicks == nil {
		return ID{}, false
	}
	return ID{Host: a.Host, PID: *a.PID, Start: *a.StartTicks}, true
}

// worst is the worst severity of the episodes that are picked, and how many those are.
func worst(of []query.Anomaly, picks func(a *query.Anomaly) bool) (s schema.Severity, n int) {
	for i := range of {
		if a := &of[i]; picks(a) {
			s, n = worse(s, a.Severity), n+1
		}
	}
	return s, n
}

func worse(a, b schema.Severity) schema.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// markSpan is the mark of the worst of some episodes, with a space behind it; empty without any.
func markSpan(s schema.Severity) line {
	if s == "" {
		return nil
	}
	mark, how := anomalyMark(s)
	return line{{mark + " ", how}}
}

// whatOf says what an episode is about.
func whatOf(a *query.Anomaly) string {
	switch a.Kind {
	case schema.AboutProcess:
		if a.PID != nil && a.Command != nil {
			return fmt.Sprintf("%s %d", commandName(*a.Command), *a.PID)
		}
	case schema.AboutGroup:
		if a.Command != nil && *a.Command != "" {
			return "processes of " + commandName(*a.Command)
		}
		if a.Cgroup != nil {
			return "processes in " + term.Safe(*a.Cgroup)
		}
	case schema.AboutJob, schema.AboutRun:
		if a.JobID != nil {
			return string(a.Kind) + " of " + term.Safe(*a.JobID)
		}
	case schema.AboutGPU:
		if a.GPU != nil {
			return fmt.Sprintf("GPU %d of %s", *a.GPU, hostOf(a))
		}
	}
	return hostOf(a)
}

func hostOf(a *query.Anomaly) string { return cmp.Or(term.Safe(a.Host), "the fleet") }

// lengthText says how long an episode went on until a time, or that it goes on then.
func lengthText(a *query.Anomaly, at float64) string {
	switch {
	case goesOn(a, at):
		return "goes on for " + spanText(at-a.Started)
	case a.Ended != nil && *a.Ended > a.Started:
		return "for " + spanText(*a.Ended-a.Started)
	}
	return "of a moment"
}
