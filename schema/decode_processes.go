package schema

import (
	"errors"
	"fmt"

	"github.com/proctape/proctape/schema/column"
	"github.com/proctape/proctape/schema/metric"
	"github.com/proctape/proctape/schema/wire"
)

// maxColumns bounds the columns of a snapshot, so that later versions have room to append.
const maxColumns = 64 + int(metric.Count)

// readProcesses reads the columns of a snapshot. Room for rows is made when the column of pids shows that they are there: it
// takes a byte for each.
func readProcesses(r *wire.Reader, ps *Processes) {
	columns, outer := r.Open(1 + maxColumns)
	n := int(min(r.Uint(), MaxProcesses+1))
	if n > 0 && columns > 0 {
		c := columnReader{r: r, ps: ps, n: n}
		for id := range metric.Count {
			c.read(id)
		}
	}
	r.Close(outer)
}

// columnReader reads the columns of n processes.
type columnReader struct {
	r  *wire.Reader
	ps *Processes
	n  int

	scratch []int64 // for the places of texts in their tables
}

func (c *columnReader) read(id metric.ID) {
	m := &metric.Table[id]
	var err error
	if m.Kind == metric.Text {
		err = c.readTexts(id)
	} else {
		err = c.readNumbers(id)
	}
	if err != nil {
		c.r.Fail("column %s: %w", m.Name, err)
	}
}

func (c *columnReader) readNumbers(id metric.ID) error {
	m := &metric.Table[id]
	b := c.r.Bytes(MaxMessage)
	switch {
	case c.r.Err() != nil:
		return nil
	case b == nil && m.MayBeUnknown():
		return nil
	case b == nil:
		return errors.New("it is missing")
	case id == metric.PID:
		if err := c.checkRoom(b); err != nil {
			return err
		}
	}
	c.ps.numbers[id] = make([]int64, c.distinct(b))
	return m.Format().Read(c.ps.numbers[id], b)
}

// distinct is how many values a column is held as: one where all are alike.
func (c *columnReader) distinct(b []byte) int {
	if column.IsConstant(b) {
		return 1
	}
	return c.n
}

// checkRoom refuses more processes than the column of pids can have, before a row is made.
func (c *columnReader) checkRoom(pids []byte) error {
	if c.n > MaxProcesses {
		return fmt.Errorf("more than %d processes", MaxProcesses)
	}
	if c.n > len(pids) {
		return fmt.Errorf("%d processes in %d bytes", c.n, len(pids))
	}
	c.scratch = make([]int64, c.n)
	return nil
}

func (c *columnReader) readTexts(id metric.ID) error {
	_, outer := c.r.Open(maxFields)
	defer c.r.Close(outer)
	count, texts, indices := c.r.Uint(), c.r.Bytes(MaxMessage), c.r.Bytes(MaxMessage)
	switch {
	case c.r.Err() != nil:
		return nil
	case indices == nil:
		return errors.New("it is missing")
	case count > uint64(c.n):
		return fmt.Errorf("%d texts of %d processes", count, c.n)
	}
	table, err := column.ReadTexts(texts, int(count), int(metric.Table[id].Limit))
	if err != nil {
		return err
	}
	c.ps.texts[id] = make([]string, c.distinct(indices))
	return column.ReadIndices(c.ps.texts[id], indices, table, c.scratch)
}

// readSyscalls reads what was traced of processes. A list names its rows in order.
func readSyscalls(r *wire.Reader, ps *Processes) {
	n, outer := openList(r, maxSyscalls, 4)
	last := 0
	for range n {
		var c Syscall
		_, record := r.Open(maxFields)
		row := int(min(r.Uint(), MaxProcesses))
		c.Name = r.String(MaxName)
		c.Calls = r.Uint()
		c.TimeX100 = r.Uint()
		r.Close(record)
		if row < last || row >= ps.Len() {
			r.Fail("a system call of process %d, after one of %d, of %d", row, last, ps.Len())
		}
		if r.Err() != nil {
			break
		}
		if ps.syscalls == nil {
			ps.syscalls = map[int][]Syscall{}
		}
		ps.syscalls[row] = append(ps.syscalls[row], c)
		last = row
	}
	r.Close(outer)
}
