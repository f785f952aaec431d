package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// column is a column of a listing: what a row has in it, and how a table shows it.
type column[T any] struct {
	name  string // for --columns, --sort, and in CSV
	head  string // in a table
	value func(*T) any
	show  func(*T) string // nil: the value
	time  bool            // the value is a time, in Unix seconds
	extra bool            // only with --wide and --columns
	text  bool            // it may be shortened
	drop  int             // the highest is left out first on a narrow terminal; 0 never
}

// view is the flags that say how a listing is shown.
type view struct {
	json, csv, wide bool
	columns         []string
	sort            string
}

// registerView adds the flags, for a listing with such columns.
func registerView[T any](v *view, cmd *cobra.Command, columns []column[T]) {
	f := cmd.Flags()
	f.BoolVar(&v.json, "json", false, "print JSON, one object a line")
	f.BoolVar(&v.csv, "csv", false, "print comma-separated values, with a line of names first")
	f.BoolVar(&v.wide, "wide", false, "show all columns, and do not shorten text to the terminal's width")
	f.StringSliceVar(&v.columns, "columns", nil, "show these `columns`: "+strings.Join(columnNames(columns), ", "))
	f.StringVar(&v.sort, "sort", "", "sort by this `column`, numbers from the largest; with a minus before it the other way round")
	for _, flag := range []string{"columns", "sort"} {
		mustComplete(cmd, flag, columnNames(columns))
	}
}

func columnNames[T any](columns []column[T]) (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// pick returns the columns to show.
func pick[T any](v *view, columns []column[T]) ([]column[T], error) {
	if v.json && v.csv {
		return nil, misuse("--json and --csv cannot be combined")
	}
	if v.sort != "" {
		if _, err := columnNamed("--sort", strings.TrimPrefix(v.sort, "-"), columns); err != nil {
			return nil, err
		}
	}
	if len(v.columns) == 0 {
		return slices.DeleteFunc(slices.Clone(columns), func(c column[T]) bool { return c.extra && !v.wide && !v.csv }), nil
	}
	var picked []column[T]
	for _, name := range v.columns {
		c, err := columnNamed("--columns", strings.TrimSpace(name), columns)
		if err != nil {
			return nil, err
		}
		picked = append(picked, c)
	}
	return picked, nil
}

func columnNamed[T any](flag, name string, columns []column[T]) (column[T], error) {
	i := slices.IndexFunc(columns, func(c column[T]) bool { return c.name == name })
	if i < 0 {
		return column[T]{}, unknownValue(flag, name, "a column", "the columns are", columnNames(columns))
	}
	return columns[i], nil
}

// unknownValue is the error of a flag's value that is none of those that there are; of an argument's, flag is empty.
func unknownValue(flag, value, what, are string, names []string) error {
	if flag != "" {
		flag += " "
	}
	return hinted(misuse("%s%q is not %s", flag, value, what), "%s%s %s", didYouMean("", value, names), are, strings.Join(names, ", "))
}

// sorted sorts items by a column.
func sorted[T any](v *view, items []T, columns []column[T]) error {
	name, ascending := strings.CutPrefix(v.sort, "-")
	c, err := columnNamed("--sort", name, columns)
	if err != nil {
		return err
	}
	slices.SortStableFunc(items, func(a, b T) int {
		order := compareValues(c.value(&a), c.value(&b))
		if ascending {
			return -order
		}
		return order
	})
	return nil
}

// compareValues orders numbers from the largest and texts from the first. What is unknown comes last.
func compareValues(a, b any) int {
	x, xIs := number(a)
	y, yIs := number(b)
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a == nil), btoi(b == nil))
	case xIs && yIs:
		return cmp.Compare(y, x)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// cell is what a table shows of a row.
func (c *column[T]) cell(item *T) string {
	if c.show != nil {
		return c.show(item)
	}
	switch v := c.value(item).(type) {
	case nil:
		return "-"
	case float64:
		if c.time {
			return localTime(v)
		}
		return oneDecimal(v)
	case string:
		return dashIfEmpty(v)
	default:
		return fmt.Sprint(v)
	}
}

// valueOf is a value for a column; nil when it is unknown.
func valueOf[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// sink takes the rows of a listing.
type sink[T any] struct {
	add     func(*T) error
	flush   func() error
	covered func([]query.Coverage) // says, before flush, how much the rows know; nil where rows have no place for it
}

// jsonSink is a sink of JSON lines.
func jsonSink[T any](out io.Writer) sink[T] {
	lines := &jsonLines{w: out}
	return sink[T]{add: func(item *T) error { return lines.add(item) }, flush: lines.flush, covered: lines.covered}
}

// newSink makes what prints rows as the flags ask for. Marked says which rows of a table are marked; it may be nil.
func newSink[T any](v *view, out io.Writer, columns []column[T], marked func(*T) bool) (sink[T], error) {
	picked, err := pick(v, columns)
	switch {
	case err != nil:
		return sink[T]{}, err
	case v.json:
		return jsonSink[T](out), nil
	case v.csv:
		return csvSink(out, picked), nil
	}
	t := &table{w: out}
	if !v.wide {
		t.width = terminalWidth(out)
	}
	for _, c := range picked {
		t.columns = append(t.columns, tableColumn{head: c.head, text: c.text, drop: c.drop})
	}
	return sink[T]{add: func(item *T) error {
		cells := make([]string, len(picked))
		for i := range picked {
			cells[i] = picked[i].cell(item)
		}
		return t.add(cells, marked != nil && marked(item))
	}, flush: func() error { return t.flush() }}, nil
}

// printAll prints items that are in memory, sorted as the flags say.
func printAll[T any](v *view, to sink[T], items []T, columns []column[T]) error {
	if v.sort != "" {
		if err := sorted(v, items, columns); err != nil {
			return err
		}
	}
	for i := range items {
		if err := to.add(&items[i]); err != nil {
			return err
		}
	}
	return to.flush()
}

// csvSink writes RFC 4180, one row at a time. Times are as in tables; what is unknown is empty.
func csvSink[T any](out io.Writer, columns []column[T]) sink[T] {
	w := csv.NewWriter(out)
	begun := false
	write := func(cells []string) error {
		if err := w.Write(cells); err != nil {
			return err
		}
		w.Flush()
		return w.Error()
	}
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return write(columnNames(columns))
	}
	return sink[T]{add: func(item *T) error {
		if err := begin(); err != nil {
			return err
		}
		cells := make([]string, len(columns))
		for i := range columns {
			cells[i] = columns[i].plain(item)
		}
		return write(cells)
	}, flush: begin}
}

// plain is a row's value as CSV has it.
func (c *column[T]) plain(item *T) string {
	switch v := c.value(item).(type) {
	case nil:
		return ""
	case float64:
		if c.time {
			return localTime(v)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return term.Safe(v)
	default:
		return fmt.Sprint(v)
	}
}
