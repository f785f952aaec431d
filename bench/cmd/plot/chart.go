package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// chart is a picture of lines over two logarithmic axes. Growth by a constant factor is a straight line.
type chart struct {
	title, x, y string
	lines       []line
}

type line struct {
	name   string
	points []point
}

// point is a median, with the least and the most of the values.
type point struct{ x, y, least, most float64 }

// The picture's size, and where the axes are in it.
const (
	width, height            = 680, 380
	left, right, top, bottom = 80.0, 470.0, 50.0, 320.0
)

// Colours that can be told apart by most eyes, after Okabe and Ito.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

// axis maps values to coordinates. It has whole decades, so that the ticks are round. A value a little outside of the
// decades may be drawn a little outside of the axis.
type axis struct {
	low, high float64 // exponents of ten
	from, to  float64 // coordinates
}

func newAxis(values []float64, from, to float64) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			low, high = min(low, math.Log10(v)), max(high, math.Log10(v))
		}
	}
	if low > high { // nothing above zero
		low, high = 0, 0
	}
	a := axis{low: math.Floor(low + 0.05), high: math.Ceil(high - 0.05), from: from, to: to}
	a.high = max(a.high, a.low+1)
	return a
}

// at returns the coordinate of a value. A value that is not above zero is at the low end.
func (a axis) at(v float64) float64 {
	exponent := a.low
	if v > 0 {
		exponent = math.Log10(v)
	}
	return a.from + (exponent-a.low)/(a.high-a.low)*(a.to-a.from)
}

// svg draws the chart.
func (c *chart) svg() string {
	var xs, ys []float64
	for _, l := range c.lines {
		for _, p := range l.points {
			xs, ys = append(xs, p.x), append(ys, p.least, p.most)
		}
	}
	x, y := newAxis(xs, left, right), newAxis(ys, bottom, top)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#222">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	text(&b, left, 28, "start", `font-size="16"`, c.title)
	c.axes(&b, x, y)
	for i, l := range c.lines {
		colour := colours[i%len(colours)]
		l.draw(&b, x, y, colour)
		row := top + 12 + 22*float64(i)
		fmt.Fprintf(&b, `<circle cx="%g" cy="%g" r="4" fill="%s"/>`+"\n", right+20, row-4, colour)
		text(&b, right+30, row, "start", "", l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// axes draws a line and a number for every power of ten.
func (c *chart) axes(b *strings.Builder, x, y axis) {
	for e := x.low; e <= x.high; e++ {
		at := x.at(math.Pow(10, e))
		grid(b, at, top, at, bottom)
		text(b, at, bottom+20, "middle", "", label(e))
	}
	for e := y.low; e <= y.high; e++ {
		at := y.at(math.Pow(10, e))
		grid(b, left, at, right, at)
		text(b, left-8, at+4, "end", "", label(e))
	}
	text(b, (left+right)/2, bottom+44, "middle", "", c.x)
	text(b, 12, top-12, "start", "", c.y)
}

// draw draws the medians, and a bar from the least to the most.
func (l *line) draw(b *strings.Builder, x, y axis, colour string) {
	var places []string
	for _, p := range l.points {
		places = append(places, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
		fmt.Fprintf(b, `<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-opacity=".4" stroke-width="5"/>`+"\n", x.at(p.x), y.at(p.least), y.at(p.most), colour)
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x.at(p.x), y.at(p.y), colour)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(places, " "), colour)
}

func grid(b *strings.Builder, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#ccc"/>`+"\n", x1, y1, x2, y2)
}

func text(b *strings.Builder, x, y float64, anchor, more, what string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(what))
}

// label returns a power of ten as people write it.
func label(exponent float64) string {
	switch {
	case exponent >= 6:
		return strconv.FormatFloat(math.Pow(10, exponent-6), 'f', -1, 64) + " M"
	case exponent >= 4:
		return strconv.FormatFloat(math.Pow(10, exponent-3), 'f', -1, 64) + " k"
	}
	return strconv.FormatFloat(math.Pow(10, exponent), 'g', -1, 64)
}
