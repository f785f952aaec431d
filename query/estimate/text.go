package estimate

import (
	"fmt"
	"io"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// rowFormat is a line of the table.
const rowFormat = "  %-33s %5s %10s %10s %10s %10s"

// Text writes the estimate for people, in lines of at most a width; 0 is any.
func (e *Estimate) Text(w io.Writer, width int) error {
	name := term.Safe(e.JobID)
	if e.Host != "" {
		name += " on " + term.Safe(e.Host)
	}
	lines := term.Wrap(fmt.Sprintf("A next run of %s, by %d that ended well (%d failed):", name, e.Runs, e.Failed), width)
	if e.Runs == 0 {
		lines = term.Wrap(fmt.Sprintf("What a next run of %s will use nobody can tell: no run of it ended well (%d failed).", name, e.Failed), width)
	}
	if len(e.Figures) > 0 {
		lines = append(lines, fit(fmt.Sprintf(rowFormat, "STAYS WITHIN, IN SO MANY RUNS", "RUNS", "1 OF 2", "9 OF 10", "19 OF 20", "MOST SEEN"), width))
		lines = append(lines, rows(e.Figures, width)...)
	}
	for i := range e.Steps {
		lines = append(lines, fit(fmt.Sprintf("Step %d", e.Steps[i].Sheet), width))
		lines = append(lines, rows(e.Steps[i].Figures, width)...)
	}
	if e.Runs > 0 && e.Runs < 19 {
		lines = append(lines, term.Wrap("note: - is what too few runs cannot tell: 9 of 10 takes 9, 19 of 20 takes 19", width)...)
	}
	for _, n := range e.Notes {
		lines = append(lines, term.Wrap("note: "+term.Safe(n), width)...)
	}
	for i := range e.Context {
		lines = append(lines, term.Wrap(e.Context[i].text(), width)...)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func rows(figures []Figure, width int) (lines []string) {
	labels := map[Name]string{"duration": "time", "cpu": "CPU time", "peak_rss": "peak of the largest process", "group_peak": "peak of the control group"}
	for i := range figures {
		f := &figures[i]
		lines = append(lines, fit(fmt.Sprintf(rowFormat, labels[f.Name]+", "+f.Unit, fmt.Sprint(f.N), show(f.P50), show(f.P90), show(f.P95), show(f.Most)), width))
	}
	return lines
}

func show(v *float64) string {
	if v == nil {
		return "-"
	}
	if *v > -1 && *v < 1 {
		return fmt.Sprintf("%.2g", *v)
	}
	return fmt.Sprintf("%.2f", *v)
}

// text says how a host is.
func (c *Context) text() string {
	text := fmt.Sprintf("%s, %s ago: pressure %s", term.Safe(c.Host), term.Span(c.Age), term.Safe(c.Pressure))
	if c.Available != nil {
		text += fmt.Sprintf(", %.0f of %.0f MiB available", *c.Available, *c.Total)
	}
	text += fmt.Sprintf(", %d jobs and %d steps run", c.Jobs, c.Steps)
	if c.Processes > 0 {
		text += fmt.Sprintf("; of this job %d processes with %.0f MiB", c.Processes, c.RSS)
		if c.CPU != nil {
			text += fmt.Sprintf(" and %.0f %% CPU", *c.CPU)
		}
		if c.Hotspot != nil {
			text += ", mostly in " + term.Safe(*c.Hotspot)
		}
	}
	if len(c.Anomalies) > 0 {
		text += "; anomalies go on: " + term.Safe(strings.Join(c.Anomalies, ", "))
	}
	return text
}

func fit(line string, width int) string {
	if width == 0 {
		return strings.TrimRight(line, " ")
	}
	return term.Fit(line, width)
}
