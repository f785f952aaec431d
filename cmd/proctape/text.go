package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query/term"
)

// timeLayout is how times are shown: with their zone, so that both hours of a night in autumn can be told apart, and so that
// --since and --until read what was shown.
const timeLayout = "2006-01-02 15:04:05Z07:00"

// localTime shows a timestamp in local time, or in UTC when --utc says so.
func localTime(timestamp float64) string {
	return time.Unix(0, int64(timestamp*1e9)).Local().Format(timeLayout)
}

// oneLine shows an error or a path on one line.
func oneLine(s string) string { return term.Safe(strings.ReplaceAll(s, "\n", "; ")) }

// printable shows a text from outside so that it can neither steer the terminal nor fill it.
func printable(s string) string { return term.Cut(term.Safe(s), 80) }

// oneDecimal shows a number with one decimal.
func oneDecimal(v float64) string { return fmt.Sprintf("%.1f", v) }

// twoDecimals shows a number with two decimals.
func twoDecimals(v float64) string { return fmt.Sprintf("%.2f", v) }

// wholeNumber shows a count.
func wholeNumber(n int64) string { return fmt.Sprint(n) }

// atLeast shows a figure, and that it is a lower bound where an answer names its key among those.
func atLeast(lowerBounds []string, key, figure string) string {
	if slices.Contains(lowerBounds, key) {
		return strings.TrimSpace("at least " + figure)
	}
	return figure
}

// orDash shows a value, or a dash when it is unknown.
func orDash[T any](v *T, show func(T) string) string {
	if v == nil {
		return "-"
	}
	return show(*v)
}

// ofJob names a process's job and step; empty without a job.
func ofJob(job *string, fleet bool, sheet *int64) string {
	if job == nil {
		return ""
	}
	text := printable(*job)
	if fleet {
		text += " of the fleet"
	}
	if sheet != nil {
		text += fmt.Sprintf(" step %d", *sheet)
	}
	return "  [" + text + "]"
}

// signalText is a signal's name, or its number when it has none.
func signalText(n int64) string {
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}

// jobStep names a job, and the step; a dash without a job.
func jobStep(job *string, sheet *int64) string {
	switch {
	case job == nil:
		return "-"
	case sheet == nil:
		return *job
	}
	return fmt.Sprintf("%s step %d", *job, *sheet)
}

// dashIfEmpty shows a text, or a dash when it is empty.
func dashIfEmpty(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// plural is the word that goes with a number of things.
func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// hostList names hosts, and counts them where there are many.
func hostList(hosts []string) string {
	const most = 10
	if n := len(hosts); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(hosts[:most], ", "), n-most)
	}
	return strings.Join(hosts, ", ")
}
