package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// figure is something that was measured.
type figure struct {
	name   string
	unit   string
	bar    bar
	values []float64 // one a round
}

// bar is what a figure is to reach. The zero bar is none.
type bar struct {
	sign  string // ≤ or ≥
	value float64
}

var noBar bar

func atMost(v float64) bar  { return bar{"≤", v} }
func atLeast(v float64) bar { return bar{"≥", v} }

func (b bar) String() string {
	if b == noBar {
		return ""
	}
	return b.sign + " " + number(b.value)
}

// verdict says whether a value reaches the bar.
func (b bar) verdict(v float64) string {
	switch {
	case b == noBar:
		return ""
	case b.sign == "≤" && v <= b.value, b.sign == "≥" && v >= b.value:
		return "met"
	}
	return "not met"
}

func (f *figure) median() float64 {
	s := slices.Sorted(slices.Values(f.values))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// spread is the least and the most that was measured.
func (f *figure) spread() string {
	if len(f.values) < 2 {
		return ""
	}
	return number(slices.Min(f.values)) + "–" + number(slices.Max(f.values))
}

// number shows three digits, and thousands apart.
func number(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return "?"
	case abs >= 1000:
		return thousands(int64(math.Round(v)))
	case abs >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 0.01:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// print writes the one table, which is Markdown too.
func (b *bench) print(w io.Writer) {
	if len(b.figures) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n\n", b.machine.describe())
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| figure\t| measured\t| unit\t| least–most\t| bar\t| \t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, f := range b.figures {
		fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t|\n", f.name, number(f.median()), f.unit, f.spread(), f.bar, f.bar.verdict(f.median()))
	}
	_ = t.Flush() // as any print
	for _, n := range b.notes {
		fmt.Fprintln(w, "\n"+n)
	}
}

// printLines writes each value as a line of the Go benchmark format, which benchstat reads.
func (b *bench) printLines(w io.Writer) {
	whole := ""
	for _, f := range b.figures {
		name := f.name
		if strings.HasPrefix(name, "…") {
			name = whole + name
		} else {
			whole = name
		}
		for _, v := range f.values {
			fmt.Fprintf(w, "BenchmarkProgram/%s 1 %v %s\n", word(name), v, cmp.Or(strings.ReplaceAll(f.unit, " ", "-"), "times"))
		}
	}
}

// word makes one word of a name.
func word(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' }), "_")
}
