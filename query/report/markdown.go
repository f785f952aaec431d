package report

import (
	"fmt"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// Markdown is the report as a comment of a pull request: GitHub's Markdown, a few lines long. What processes and jobs are called in it is quoted.
func (r *RunReport) Markdown() string {
	var b strings.Builder
	name := code(r.JobID)
	if r.Number > 0 {
		name += fmt.Sprintf(" run %d", r.Number)
	}
	fmt.Fprintf(&b, "**%s** %s, %s", name, term.Markdown(r.verdict()), term.Span(*r.Seconds))
	if r.Before != nil {
		fmt.Fprintf(&b, " (run %d: %s in %s)", r.Before.Number, r.Before.Outcome, term.Span(r.Before.Seconds))
	}
	fmt.Fprintf(&b, "  \n%s  \n%s\n", term.Markdown(r.usedCPU()), term.Markdown(r.usedMemory()))
	r.markdownSteps(&b)
	for i := range r.Deaths {
		d := &r.Deaths[i]
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "- %s %s %d %s\n", d.mark(), code(line(d.Command, 60)), d.PID, term.Markdown(d.how()))
	}
	if r.MoreDeaths > 0 {
		fmt.Fprintf(&b, "- and %s more\n", grouped(r.MoreDeaths))
	}
	for i, a := range r.Advice {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "> %s\n", term.Markdown(a.Text))
	}
	fmt.Fprintf(&b, "\nKnown: %s\n", term.Markdown(r.known()))
	return b.String()
}

// markdownSteps writes the table of steps, against the run before where there is one.
func (r *RunReport) markdownSteps(b *strings.Builder) {
	if len(r.Steps) == 0 {
		return
	}
	head, rule := "\n| step | wall | CPU s | peak MiB | failed | exit |", "\n|---|--:|--:|--:|--:|---|"
	if r.Before != nil {
		head, rule = head+fmt.Sprintf(" peak against run %d |", r.Before.Number), rule+"--:|"
	}
	b.WriteString(head + rule + "\n")
	for i := range r.Steps {
		s := &r.Steps[i]
		now := s.Together.Peak
		fmt.Fprintf(b, "| %d | %s | %s | %s | %s | %s |", s.Sheet, show(s.Seconds, term.Span), show(s.CPUSeconds, seconds), show(now, mib), r.counted(s.Failed), s.exit())
		if r.Before != nil {
			change := "-"
			if was := r.Before.step(&s.Sheet); was != nil && was.PeakRSS != nil && now != nil && *was.PeakRSS > 0 {
				change = fmt.Sprintf("%+.0f %%", 100**now / *was.PeakRSS - 100)
			}
			fmt.Fprintf(b, " %s |", change)
		}
		b.WriteByte('\n')
	}
}

// code quotes a name so that nothing in it is Markdown.
func code(s string) string {
	s = line(s, 200)
	return "`" + strings.ReplaceAll(s, "`", "'") + "`"
}
