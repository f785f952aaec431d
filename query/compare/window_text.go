package compare

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/proctape/proctape/query/term"
)

// windowRow is a line of the table. What matters most comes first: a narrow terminal cuts the end.
const windowRow = "  %-9s %-28s %-15s %9s %22s %22s  %s"

// Text writes differences for people, in lines of at most a width; 0 is any. name is what people call the key of a line.
func (w *Windows) Text(out io.Writer, width int, name func(by, key string) string) error {
	lines := term.Wrap(w.title(), width)
	if len(w.Differences) > 0 {
		lines = append(lines, fit(fmt.Sprintf(windowRow, "VERDICT", "OF", "FIGURE", "CHANGE", "BEFORE", "NOW", "WHY"), width))
	}
	for i := range w.Differences {
		d := &w.Differences[i]
		lines = append(lines, fit(strings.TrimRight(fmt.Sprintf(windowRow, d.Verdict, term.Fit(term.Safe(d.By+" "+name(d.By, d.Key)), 28), d.label(), d.changeText(), d.Against.text(), d.Runs.text(), d.why()), " "), width))
	}
	if left := w.Compared - len(w.Differences); left > 0 {
		lines = append(lines, fmt.Sprintf("%d more figures were compared.", left))
	}
	for _, n := range w.Notes {
		lines = append(lines, term.Wrap("note: "+n, width)...)
	}
	_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
	return err
}

// Markdown is the differences as a table.
func (w *Windows) Markdown(name func(by, key string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| of | figure | verdict | change | before | now | why |\n|---|---|---|---:|---:|---:|---|\n", term.Markdown(w.title()))
	for i := range w.Differences {
		d := &w.Differences[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", term.Markdown(term.Safe(d.By+" "+name(d.By, d.Key))), d.label(), d.Verdict, d.changeText(), d.Against.text(), d.Runs.text(), d.why())
	}
	for _, n := range w.Notes {
		fmt.Fprintf(&b, "\n%s\n", term.Markdown(n))
	}
	return b.String()
}

// title says which windows are compared.
func (w *Windows) title() string {
	at := func(seconds float64, layout string) string {
		return time.UnixMilli(int64(seconds * 1000)).Format(layout)
	}
	const first, last = "2006-01-02 15:04:05", "2006-01-02 15:04:05 MST"
	return fmt.Sprintf("%s to %s against %s to %s, in %d slices of %s", at(w.Window.From, first), at(w.Window.To, last), at(w.Against.From, first), at(w.Against.To, last),
		w.Slices, time.Duration(w.Slice*float64(time.Second)).Round(time.Second/10))
}
