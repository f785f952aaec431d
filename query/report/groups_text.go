package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// Text writes groups for people, in lines of at most a width; 0 is any.
func (g *Groups) Text(w io.Writer, width int) error {
	var lines []string
	line := func(format string, args ...any) {
		text := strings.TrimRight(fmt.Sprintf(format, args...), " ")
		if width > 0 {
			text = term.Fit(text, width)
		}
		lines = append(lines, text)
	}
	for i := range g.Groups {
		of := &g.Groups[i]
		line("%s", of.title(g.By))
		line("  %-10s %5s %10s %10s %10s %10s  %s", "FIGURE", "N", "LEAST", "MEDIAN", "P95", "MOST", "HOW MANY RUNS")
		for j, d := range of.Figures {
			if d.N > 0 {
				line("  %-10s %5d %10s %10s %10s %10s  %s", g.Bins[j].label(), d.N, figure(d.Min), figure(d.Median), figure(d.P95), figure(d.Max), d.histogram())
			}
		}
	}
	if len(g.Groups) == 0 {
		line("No run of %s began in this time.", term.Safe(g.Jobs))
	}
	for _, b := range g.Bins {
		if n := len(b.Edges) - 1; n > 1 {
			line("%s: %d bins of equal width, from %s to %s", b.label(), n, figure(&b.Edges[0]), figure(&b.Edges[n]))
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// Markdown is groups as a table.
func (g *Groups) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Runs of %s by %s\n\n| %s | figure | n | least | median | p95 | most | how many runs |\n|---|---|---:|---:|---:|---:|---:|---|\n", term.Markdown(term.Safe(g.Jobs)), g.By, g.By)
	for i := range g.Groups {
		of := &g.Groups[i]
		for j, d := range of.Figures {
			if d.N > 0 {
				fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | `%s` |\n", term.Markdown(of.title(g.By)), g.Bins[j].label(), d.N, figure(d.Min), figure(d.Median), figure(d.P95), figure(d.Max), d.histogram())
			}
		}
	}
	return b.String()
}

// title names a group, and says how its runs ended.
func (g *Group) title(by string) string {
	runs := fmt.Sprintf("%d runs", g.Runs)
	if g.Runs == 1 {
		runs = "1 run"
	}
	text := fmt.Sprintf("%s: %s", g.Key, runs)
	if by == "step" {
		text = fmt.Sprintf("step %s: of %s", g.Key, runs)
	}
	for _, of := range []struct {
		n    int
		what string
	}{{g.Failed, "failed"}, {g.GoOn, "go on"}, {g.LowerBound, "had processes that nobody saw: their figures are at least"}} {
		if of.n > 0 {
			text += fmt.Sprintf(", %d %s", of.n, of.what)
		}
	}
	return term.Safe(text)
}

// label is a figure's name with its unit.
func (b Bins) label() string {
	return strings.TrimSpace(map[string]string{"duration": "time", "cpu": "CPU", "cores": "cores", "peak_rss": "peak"}[b.Name] + " " + b.Unit)
}

// histogram draws the bins, the fullest as high as a line; one with any run is never empty.
func (d *Distribution) histogram() string {
	const heights = "▁▂▃▄▅▆▇█"
	bars, most := []rune(heights), slices.Max(append(d.Counts, 1))
	var b strings.Builder
	for _, n := range d.Counts {
		switch {
		case n == 0:
			b.WriteByte('.')
		default:
			b.WriteRune(bars[(n*len(bars)-1)/most])
		}
	}
	return b.String()
}

// figure is a number in the length that a table has room for.
func figure(v *float64) string {
	switch {
	case v == nil:
		return "-"
	case *v >= 100:
		return fmt.Sprintf("%.0f", *v)
	}
	return fmt.Sprintf("%.2f", *v)
}
