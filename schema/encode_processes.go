package schema

import (
	"fmt"

	"github.com/proctape/proctape/schema/column"
	"github.com/proctape/proctape/schema/metric"
)

// writeProcesses writes how many processes there are, and their columns by number.
func writeProcesses(w *writer, ps *Processes) {
	if ps.Len() == 0 {
		w.Array(1)
		w.Uint(0)
		return
	}
	w.Array(1 + int(metric.Count))
	w.Uint(uint64(ps.Len()))
	for id := range metric.Count {
		m := &metric.Table[id]
		switch {
		case m.Kind == metric.Text:
			writeTexts(w, m, textsOf(ps, id))
		case len(ps.numbers[id]) == 0:
			w.Nil()
		default:
			writeNumbers(w, m, ps, ps.numbers[id])
		}
	}
}

// writeNumbers writes a column of numbers, which it checks.
func writeNumbers(w *writer, m *metric.Metric, ps *Processes, values []int64) {
	s, format := column.SurveyOf(values), m.Format()
	if !s.Within(m.Limit, format.Nullable) || m.Kind == metric.Letter {
		if row, err := validateValues(m, values); err != nil && w.err == nil {
			w.err = wrongProcess(ps, row, err)
		}
	}
	w.scratch = format.AppendSurveyed(w.scratch[:0], values, s)
	w.Bytes(w.scratch)
}

// writeTexts writes the distinct texts of a column, which are checked once, and which of them each process has.
func writeTexts(w *writer, m *metric.Metric, values []string) {
	table := w.texts.Collect(values)
	var ok bool
	if w.scratch, ok = w.texts.AppendTexts(w.scratch[:0], int(m.Limit)); !ok && w.err == nil {
		w.err = wrongText(m, table)
	}
	w.Array(3)
	w.Uint(uint64(len(table)))
	w.Bytes(w.scratch)
	w.scratch = w.texts.AppendIndices(w.scratch[:0], m.Mode)
	w.Bytes(w.scratch)
}

// wrongText says what is wrong with the first of the texts that is wrong.
func wrongText(m *metric.Metric, table []string) error {
	for _, s := range table {
		if err := text(m.Name, s, int(m.Limit)); err != nil {
			return fmt.Errorf("a process: %w", err)
		}
	}
	return fmt.Errorf("texts of %s are wrong together, and none alone", m.Name)
}

// writeSyscalls writes what was traced of processes, by row.
func writeSyscalls(w *writer, ps *Processes) {
	n := 0
	for _, calls := range ps.syscalls {
		n += len(calls)
	}
	w.Array(n)
	for row := 0; n > 0; row++ {
		for _, c := range ps.syscalls[row] {
			w.Array(4)
			w.Uint(uint64(row))
			w.String(c.Name)
			w.Uint(c.Calls)
			w.Uint(c.TimeX100)
			n--
		}
	}
}
