package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// print writes the table, as Markdown.
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
