package run

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// About is what a summary says besides the result.
type About struct {
	Job       string
	Sheet     schema.Opt[int64]
	Processes schema.Opt[uint64] // how many the job had in all
	Colour    bool               // mark success and failure by colour, as terminals do (ECMA-48)
}

// Summary is the result in one line, without a newline. Sizes are MiB. What is
// not known is not mentioned.
func Summary(r Result, about About) string {
	parts := []string{
		fmt.Sprintf("%s after %s", paint(r.outcome(), r.ExitCode == 0, about.Colour), round(r.Wall)),
		r.CPU().text(),
	}
	switch {
	case r.PeakMemoryKiB.Known:
		parts = append(parts, fmt.Sprintf("peak memory %.1f MiB", megabytes(r.PeakMemoryKiB.V)))
	case r.MaxRSSKiB.Known:
		parts = append(parts, fmt.Sprintf("largest process %.1f MiB", megabytes(r.MaxRSSKiB.V)))
	}
	if about.Processes.Known {
		parts = append(parts, count(about.Processes.V, "process", "processes"))
	}
	if r.LeftBehind.V > 0 {
		parts = append(parts, fmt.Sprintf("%d still running", r.LeftBehind.V))
	}
	if r.Undelivered > 0 {
		parts = append(parts, count(uint64(r.Undelivered), "signal", "signals")+" not passed on")
	}
	return fmt.Sprintf("proctape: %s: %s", about.name(), strings.Join(parts, ", "))
}

// text is the time in seconds, and how much of it was where, if that is known.
func (c CPU) text() string {
	all := fmt.Sprintf("%.1f s CPU", c.Total().Seconds())
	if c.Whole > 0 {
		return all
	}
	return all + fmt.Sprintf(" (user %.1f, system %.1f)", c.User.Seconds(), c.System.Seconds())
}

// name names the job. The terminal would obey control characters in it.
func (a About) name() string {
	quoted := strconv.Quote(a.Job)
	name := "job " + quoted[1:len(quoted)-1]
	if a.Sheet.Known {
		name += fmt.Sprintf(", step (sheet) %d", a.Sheet.V)
	}
	return name
}

func (r Result) outcome() string {
	switch {
	case r.Core:
		return fmt.Sprintf("killed by %s (core dumped)", signalName(r.Signal))
	case r.Signal != 0:
		return "killed by " + signalName(r.Signal)
	default:
		return fmt.Sprintf("exit %d", r.ExitCode)
	}
}

func signalName(s unix.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

func paint(text string, good, colour bool) string {
	switch {
	case !colour:
		return text
	case good:
		return "\x1b[32m" + text + "\x1b[m"
	default:
		return "\x1b[31m" + text + "\x1b[m"
	}
}

// round leaves about three digits of a duration.
func round(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond)
	case d < time.Minute:
		return d.Round(100 * time.Millisecond)
	default:
		return d.Round(time.Second)
	}
}

func megabytes(kib uint64) float64 { return float64(kib) / 1024 }

func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
