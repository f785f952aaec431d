package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query/term"
)

// unknown stands for a figure that is not known.
const unknown = "?"

// signalName is a signal's name, or its number when it has none.
func signalName(n int64) string {
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}

// seconds shows CPU time.
func seconds(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.2f", v)
	}
	return grouped(int64(math.Round(v)))
}

// mib shows a size in MiB.
func mib(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return grouped(int64(math.Round(v)))
}

// show shows a figure, or that it is not known.
func show(v *float64, as func(float64) string) string {
	if v == nil {
		return unknown
	}
	return as(*v)
}

func oneDecimal(v float64) string { return fmt.Sprintf("%.1f", v) }

// grouped shows a number with a space between thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

func plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

const timeLayout = "2006-01-02 15:04:05Z07:00"

func clock(at float64, layout string) string {
	return time.Unix(0, int64(at*1e9)).Local().Format(layout)
}

// period shows from when to when something lasted: the day of its end only where that is another.
func period(from, to float64) string {
	layout := "15:04:05"
	if day := "2006-01-02Z07:00"; clock(from, day) != clock(to, day) {
		layout = timeLayout
	}
	return clock(from, timeLayout) + " – " + clock(to, layout)
}

// moment shows when something of the run was: with its zone where the zone changes while the run goes on.
func (r *RunReport) moment(at float64) string {
	end := at
	if r.Ended != nil {
		end = *r.Ended
	}
	layout := "15:04:05.000"
	if clock(r.Started, "Z07:00") != clock(end, "Z07:00") {
		layout += "Z07:00"
	}
	return clock(at, layout)
}

// line makes text of outside fit to stand in a line, and not too long.
func line(s string, most int) string {
	return term.Fit(term.Safe(strings.ReplaceAll(s, "\n", " ")), most)
}
