package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// localTime shows a timestamp in local time.
func localTime(timestamp float64) string {
	return time.Unix(0, int64(timestamp*1e9)).Local().Format("2006-01-02 15:04:05")
}

// oneLine shows an error or a path on one line.
func oneLine(s string) string { return term.Safe(strings.ReplaceAll(s, "\n", "; ")) }

// printable shows a text from outside so that it can neither steer the terminal nor fill it.
func printable(s string) string { return term.Cut(term.Safe(s), 80) }

// oneDecimal shows a number with one decimal.
func oneDecimal(v float64) string { return fmt.Sprintf("%.1f", v) }

// orDash shows a value, or a dash when it is unknown.
func orDash[T any](v *T, show func(T) string) string {
	if v == nil {
		return "-"
	}
	return show(*v)
}

// ofJob names a process's job and step; empty without a job.
func ofJob(job *string, sheet *int64) string {
	switch {
	case job == nil:
		return ""
	case sheet == nil:
		return "  [" + printable(*job) + "]"
	}
	return fmt.Sprintf("  [%s step %d]", printable(*job), *sheet)
}

// outcome says how a process ended.
func outcome(e query.Event) string {
	switch {
	case e.Signal != nil:
		return fmt.Sprintf("signal %d", *e.Signal)
	case e.ExitCode != nil:
		return fmt.Sprintf("exit code %d", *e.ExitCode)
	case e.Type == "exit":
		return "unknown"
	}
	return "-"
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
