package compare

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// rowFormat is a line of the table. What matters most comes first: a narrow terminal cuts the end.
const rowFormat = "  %-11s %-9s %9s %22s %22s  %s"

// Text writes a comparison for people, in lines of at most a width; 0 is any.
func (c *Comparison) Text(w io.Writer, width int) error {
	var lines []string
	lines = append(lines, term.Wrap(c.title(), width)...)
	lines = append(lines, fit(fmt.Sprintf(rowFormat, "FIGURE", "VERDICT", "CHANGE", "BEFORE", "NOW", "WHY"), width))
	lines = append(lines, rows(c.Figures, width)...)
	for i := range c.Steps {
		lines = append(lines, fit(fmt.Sprintf("Step %d", c.Steps[i].Sheet), width))
		lines = append(lines, rows(c.Steps[i].Figures, width)...)
	}
	for _, n := range c.Notes {
		lines = append(lines, term.Wrap("note: "+term.Safe(n), width)...)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// Markdown is a comparison for a comment of a pull request.
func (c *Comparison) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| figure | verdict | change | before | now | why |\n|---|---|---:|---:|---:|---|\n", term.Markdown(c.title()))
	row := func(where string, f *Figure) {
		fmt.Fprintf(&b, "| %s%s | %s | %s | %s | %s | %s |\n", where, f.label(), f.Verdict, f.changeText(), f.Against.text(), f.Runs.text(), f.why())
	}
	for i := range c.Figures {
		row("", &c.Figures[i])
	}
	for i := range c.Steps {
		for j := range c.Steps[i].Figures {
			row(fmt.Sprintf("step %d: ", c.Steps[i].Sheet), &c.Steps[i].Figures[j])
		}
	}
	for _, n := range c.Notes {
		fmt.Fprintf(&b, "\n%s\n", term.Markdown(term.Safe(n)))
	}
	return b.String()
}

// title says which runs are compared, and how many of them failed.
func (c *Comparison) title() string {
	return term.Safe(fmt.Sprintf("%s against %s", c.Runs.text(), c.Against.text()))
}

// text names the runs of a side.
func (s *Side) text() string {
	first, last := s.Runs[0].Number, s.Runs[len(s.Runs)-1].Number
	name := fmt.Sprintf("%s run %d", s.JobID, last)
	if len(s.Runs) > 1 {
		name = fmt.Sprintf("%s runs %d to %d (%d)", s.JobID, first, last, len(s.Runs))
	}
	if s.Failed > 0 {
		name += fmt.Sprintf(", %d failed", s.Failed)
	}
	return name
}

func rows(figures []Figure, width int) (lines []string) {
	for i := range figures {
		f := &figures[i]
		lines = append(lines, fit(strings.TrimRight(fmt.Sprintf(rowFormat, f.label(), f.Verdict, f.changeText(), f.Against.text(), f.Runs.text(), f.why()), " "), width))
	}
	return lines
}

func fit(line string, width int) string {
	if width == 0 {
		return line
	}
	return term.Fit(line, width)
}

// label is a figure's name with its unit.
func (f *Figure) label() string {
	name := cmp.Or(map[string]string{"duration": "time", "cpu": "CPU", "peak_rss": "peak", "write": "written"}[f.Name], f.Name)
	return strings.TrimSpace(name + " " + f.Unit)
}

// text is a side's median, and how far its runs spread.
func (s *Spread) text() string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return number(*s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(*s.Median), number(*s.Least), number(*s.Most))
}

func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprintf("%d", int64(v))
	}
	return fmt.Sprintf("%.2f", v)
}

func (f *Figure) changeText() string {
	switch {
	case f.Relative != nil:
		return fmt.Sprintf("%+.1f %%", *f.Relative*100)
	case f.Change != nil:
		return fmt.Sprintf("%+.2f", *f.Change)
	}
	return "-"
}

// why is what a verdict rests on: the rank test, or what stands against it.
func (f *Figure) why() string {
	if f.P == nil {
		return f.Note
	}
	p := fmt.Sprintf("p %.3f", *f.P)
	if *f.P < 0.0005 {
		p = "p < 0.001"
	}
	return strings.TrimSuffix(p+"; "+f.Note, "; ")
}
