// Package metric describes what a snapshot says of a process: each column once, with everything that the rest of the
// program must know of it.
//
// The wire, the tables, the view process_metrics, the rollups, the lines of monitor.jsonl, the answers of queries and
// docs/metrics.md are made from [Table]. CONTRIBUTING.md says how to add one.
package metric

import (
	"cmp"

	"github.com/proctape/proctape/schema/column"
)

// ID numbers a column of a snapshot's processes. It is the column's place on the wire, and is never given to another.
type ID uint8

// Kind says what a column's values are.
type Kind uint8

// The kinds of columns.
const (
	Identity Kind = iota + 1 // says which process it is, or describes it; rarely changes
	Text                     // an identity that is a text
	Gauge                    // a value of the moment
	Counter                  // grows from the process's start on
	Letter                   // one ASCII letter; in numbers its code
	Flag                     // true or false; in numbers 1, or unknown for false
)

// Unit is what a number counts, and how people are shown it.
type Unit struct {
	Name  string // of the number as the wire and the tables have it
	Shown string // of the number as the view, lines and answers show it
	Per   int64  // a shown number is the number divided by Per
}

// The units.
var (
	Ticks   = Unit{"ticks of 1/100 s after boot", "ticks of 1/100 s after boot", 1}
	KiB     = Unit{"KiB", "MiB", 1024}
	Permil  = Unit{"thousandths of a core", "percent of a core", 10}
	Millis  = Unit{"milliseconds", "seconds", 1000}
	Counted = Unit{"count", "count", 1}
)

// Digits is how many decimal places a shown number has, where Per is a power of ten.
func (u Unit) Digits() int {
	digits := 0
	for per := u.Per; per >= 10; per /= 10 {
		digits++
	}
	return digits
}

// Rollup says what is kept of a column for a minute.
type Rollup uint8

// What is kept for a minute.
const (
	NoRollup Rollup = iota
	Last            // the value of the last snapshot that had the process
	Spread          // mean, largest and 95th percentile
)

// Metric is one column of a snapshot's processes.
type Metric struct {
	Field string // of schema.Process and schema.ProcessRollup
	Go    string // type of that field; empty for a number that may be unknown
	Name  string // key in JSON on the wire, and column of samples
	Kind  Kind
	Unit  Unit
	Mode  column.Mode // how the wire writes it
	Pages bool        // mostly divides by 4, as memory in pages does
	Limit int64       // largest value that a machine can have

	Sampled bool // has a column of that name in samples, or describes the process
	// Key names it in the view, in lines and in answers. Empty: it is not shown.
	Key    string
	Answer string // field of query's answers; empty: Field
	InLine bool   // monitor.jsonl has it, beside those that the contract names
	// Default is what the contract wants to read where the value of one that it names is unknown.
	Default int64

	Rollup Rollup
	Spread string // what the columns of a spread begin with: cpu gives cpu_mean, cpu_max, cpu_p95
	Doc    string // one line: what it is, and where it comes from
}

// MayBeUnknown reports whether there are processes of which the value is not known.
func (m *Metric) MayBeUnknown() bool { return m.Go == "" || m.Kind == Flag }

// Least is the smallest number that a process can have: 0, or that for unknown.
func (m *Metric) Least() int64 {
	if m.MayBeUnknown() {
		return column.Unknown
	}
	return 0
}

// Format is how the wire writes a column of numbers.
func (m *Metric) Format() column.Format {
	return column.Format{Mode: m.Mode, Nullable: m.MayBeUnknown(), Pages: m.Pages}
}

// AnswerField is the name of its field in query's answers.
func (m *Metric) AnswerField() string { return cmp.Or(m.Answer, m.Field) }

// Measured reports whether it is measured, and not a part of the description of the process.
func (m *Metric) Measured() bool { return m.Kind == Gauge || m.Kind == Counter || m.Kind == Letter }
