package main

import (
	"math"
	"slices"
	"strconv"
)

// figure is one measured quantity.
type figure struct {
	name   string
	unit   string
	bar    bar
	values []float64 // one a round
}

// bar is the limit that a figure should reach. The zero bar is none.
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

// spread returns the least and the most of the values.
func (f *figure) spread() string {
	if len(f.values) < 2 {
		return ""
	}
	return number(slices.Min(f.values)) + "–" + number(slices.Max(f.values))
}

// number formats three digits, with a space between thousands.
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
