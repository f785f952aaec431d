package correlate

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proctape/proctape/query/term"
)

// rowFormat is a line of the table. What matters most comes first: a narrow terminal cuts the end.
const rowFormat = "  %-34s %7s %9s %9s  %s"

// Text writes the answer for people, in lines of at most a width; 0 is any. With all it has what does not stand out too.
func (a *Answer) Text(w io.Writer, width int, all bool) error {
	lines := term.Wrap(a.title(), width)
	for _, outcome := range []Outcome{Failure, Slowness} {
		lines = append(lines, a.table(outcome, width, all)...)
	}
	lines = append(lines, a.untested(width)...)
	if a.Left > 0 {
		lines = append(lines, term.Wrap(fmt.Sprintf("note: %d older runs were not read; --last reads more", a.Left), width)...)
	}
	for _, n := range a.Notes {
		lines = append(lines, term.Wrap("note: "+term.Safe(n), width)...)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// title says of which runs the answer is.
func (a *Answer) title() string {
	name := term.Safe(a.JobID)
	if a.Host != "" {
		name += " on " + term.Safe(a.Host)
	}
	return fmt.Sprintf("%s: %s, %d failed, %d ended well", name, plural(a.Runs, "run that has ended", "runs that have ended"), a.Failed, a.Well)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// table is what goes with an outcome.
func (a *Answer) table(outcome Outcome, width int, all bool) (lines []string) {
	tested, standing := 0, 0
	for i := range a.Correlations {
		c := &a.Correlations[i]
		if c.Outcome != outcome {
			continue
		}
		tested++
		if c.StandsOut {
			standing++
		}
		if c.StandsOut || all {
			lines = append(lines, fit(strings.TrimRight(fmt.Sprintf(rowFormat, c.name(), fmt.Sprintf("%+.2f", c.Effect), chance(c.P), chance(c.Q), c.groups()), " "), width))
		}
	}
	if len(lines) > 0 {
		lines = slices.Insert(lines, 0, fit(fmt.Sprintf(rowFormat, "GOES WITH "+strings.ToUpper(string(outcome)), "EFFECT", "P", "Q", "MEDIANS"), width))
	}
	switch {
	case tested == 0 && outcome == Failure:
		return term.Wrap(fmt.Sprintf("Nothing can be tested against failure: %d failed and %d ended well; %d of each are needed, and %d in all.", a.Failed, a.Well, MinSide, MinRuns), width)
	case tested == 0:
		return term.Wrap(fmt.Sprintf("Nothing can be tested against slowness: %d ended well; %d are needed.", a.Well, MinRuns), width)
	case standing == 0:
		return append([]string{fit(fmt.Sprintf("Nothing stands out that goes with %s: %s.", outcome, plural(tested, "test", "tests")), width)}, lines...)
	case tested > standing && !all:
		return append(lines, fit(fmt.Sprintf("  of %d tests; --all shows the others", tested), width))
	}
	return lines
}

// untested says what was not tested, reason by reason; nothing of an outcome against which nothing was.
func (a *Answer) untested(width int) (lines []string) {
	var reasons []string
	of := map[string][]string{}
	tested := map[string]bool{}
	for i := range a.Correlations {
		tested[string(a.Correlations[i].Outcome)] = true
	}
	for _, u := range a.Untested {
		_, outcome, _ := strings.Cut(string(u.Type), "_vs_")
		if !tested[outcome] {
			continue
		}
		reason := outcome + ": " + u.Reason
		if of[reason] == nil {
			reasons = append(reasons, reason)
		}
		of[reason] = append(of[reason], u.label)
	}
	for _, r := range reasons {
		outcome, why, _ := strings.Cut(r, ": ")
		lines = append(lines, term.Wrap(fmt.Sprintf("not tested against %s: %s: %s", outcome, strings.Join(of[r], ", "), why), width)...)
	}
	return lines
}

func fit(line string, width int) string {
	if width == 0 {
		return line
	}
	return term.Fit(line, width)
}

// name is what was tested.
func (c *Correlation) name() string {
	if c.Value != "" {
		return c.label + " " + term.Safe(c.Value)
	}
	if c.Unit != "" {
		return c.label + ", " + c.Unit
	}
	return c.label
}

// groups says how the two groups differ.
func (c *Correlation) groups() string {
	first, second := "failed", "ended well"
	switch {
	case c.Value != "":
		first, second = "with it", "without"
	case c.Outcome == Slowness:
		first, second = "slower", "faster"
	}
	text := fmt.Sprintf("%s in %d %s, %s in %d %s", c.With.text(c.Unit), c.With.N, first, c.Without.text(c.Unit), c.Without.N, second)
	if c.Expected {
		text += "; a run that fails ends early"
	}
	return text
}

func (g *Group) text(unit string) string {
	switch {
	case g.FailureRate != nil:
		return fmt.Sprintf("%.0f %% failed", *g.FailureRate*100)
	case g.Median == nil:
		return "-"
	}
	return strings.TrimSuffix(number(*g.Median)+" "+unit, " ")
}

func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprintf("%d", int64(v))
	}
	if v > -1 && v < 1 {
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// chance shows a probability.
func chance(p float64) string {
	if p < 0.0001 {
		return "<0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

// Line is what stands out most, in a sentence for a report of one run; empty when nothing does.
func (a *Answer) Line() string {
	var parts []string
	for _, outcome := range []Outcome{Failure, Slowness} {
		if found := a.StandsOut(outcome); len(found) > 0 {
			parts = append(parts, fmt.Sprintf("%s goes with %s (%s; q %s)", outcome, found[0].name(), found[0].groups(), chance(found[0].Q)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("Over %d runs %s. proctape correlate says more.", a.Runs, strings.Join(parts, "; "))
}
