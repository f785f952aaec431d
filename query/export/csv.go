package export

import (
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strconv"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// CSV writes one table as RFC 4180 has it, with a line of names first. What is unknown is empty; times are Unix seconds. In texts, what could steer a terminal
// is made visible.
type CSV struct {
	table
	w     *csv.Writer
	cells []string
}

// NewCSV makes a writer of CSV. The question must be of one table.
func NewCSV(w io.Writer) *CSV { return &CSV{w: csv.NewWriter(w)} }

// Begin writes the names.
func (c *CSV) Begin(h *Head) error {
	if err := c.begin(h, c.write); err != nil || h.Resumed {
		return err
	}
	names := make([]string, len(c.columns))
	for i := range names {
		names[i] = c.columns[i].name
	}
	return c.flush(names)
}

// End writes nothing: every row is whole.
func (c *CSV) End() error { return nil }

func (c *CSV) write(row reflect.Value) error {
	c.cells = c.cells[:0]
	for _, column := range c.columns {
		c.cells = append(c.cells, column.plain(column.of(row)))
	}
	return c.flush(c.cells)
}

func (c *CSV) flush(cells []string) error {
	if err := c.w.Write(cells); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// plain is a value as text.
func (c *column) plain(v value) string {
	switch {
	case !v.known:
		return ""
	case c.kind == integer:
		return strconv.FormatInt(v.int, 10)
	case c.kind == float:
		return strconv.FormatFloat(v.float, 'f', -1, 64)
	case c.kind == flag:
		return strconv.FormatBool(v.int != 0)
	}
	return term.Safe(v.text)
}

// table is what the writers of one table have in common: the rows of all kinds come as those of its columns.
type table struct {
	columns []*column
	write   func(reflect.Value) error
}

var errOneTable = errors.New("the format holds one table")

func (t *table) begin(h *Head, write func(reflect.Value) error) error {
	if len(h.What) != 1 {
		return errOneTable
	}
	t.columns, t.write = columnsOf(h.What[0]), write
	return nil
}

// Gap writes a gap.
func (t *table) Gap(g *query.Gap) error { return t.write(reflect.ValueOf(g)) }

// Run writes a run.
func (t *table) Run(r *query.Run) error { return t.write(reflect.ValueOf(r)) }

// Event writes an event.
func (t *table) Event(e *query.Event) error { return t.write(reflect.ValueOf(e)) }

// Exec writes an exec.
func (t *table) Exec(e *query.Exec) error { return t.write(reflect.ValueOf(e)) }

// Snapshot writes the processes of a snapshot.
func (t *table) Snapshot(s *query.Snapshot) error {
	row := sample{s.Timestamp, s.Host, s.Resolution, nil}
	at := reflect.ValueOf(&row)
	for i := range s.Processes {
		row.Process = &s.Processes[i]
		if err := t.write(at); err != nil {
			return err
		}
	}
	return nil
}
