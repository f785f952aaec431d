package schema

import (
	"errors"
	"fmt"
	"sync"

	"github.com/proctape/proctape/schema/column"
	"github.com/proctape/proctape/schema/metric"
	"github.com/proctape/proctape/schema/wire"
)

// maxColumns bounds the columns of a snapshot, so that later versions have room to append.
const maxColumns = 64 + int(metric.Count)

// readProcesses reads the columns of a snapshot. Room for rows is made when the column of pids shows that they are there: it
// takes a byte for each. A column that is not wanted is passed over.
func readProcesses(r *wire.Reader, ps *Processes, want Columns) {
	ps.passed = everyColumn &^ want
	columns, outer := r.Open(1 + maxColumns)
	n := int(min(r.Uint(), MaxProcesses+1))
	if n > 0 && columns > 0 {
		c := columnReader{r: r, ps: ps, n: n}
		for id := range metric.Count {
			c.check(id, c.find(id))
		}
		c.readNumbers()
	}
	r.Close(outer)
}

// columnReader reads the columns of n processes. It first finds the numbers of all, and then makes room for them at once.
type columnReader struct {
	r  *wire.Reader
	ps *Processes
	n  int

	numbers [metric.Count][]byte // where the numbers of columns are in the message
	room    int                  // how many numbers they are
}

func (c *columnReader) check(id metric.ID, err error) {
	if err != nil {
		c.r.Fail("column %s: %w", metric.Table[id].Name, err)
	}
}

// find finds a column's numbers, and reads the table of one of texts.
func (c *columnReader) find(id metric.ID) error {
	if c.r.Err() != nil {
		return nil
	}
	m := &metric.Table[id]
	var b []byte
	var err error
	if m.Kind == metric.Text {
		b, err = c.readTexts(id)
	} else {
		b = c.r.Bytes(MaxMessage)
	}
	switch {
	case err != nil || c.r.Err() != nil || c.ps.passed.has(id):
		return err
	case b == nil && !m.MayBeUnknown():
		return errors.New("it is missing")
	case id == metric.PID && c.n > MaxProcesses:
		return fmt.Errorf("more than %d processes", MaxProcesses)
	case id == metric.PID && c.n > len(b):
		return fmt.Errorf("%d processes in %d bytes", c.n, len(b))
	}
	c.numbers[id] = b
	c.room += c.held(b)
	return nil
}

// held is how many numbers a column is held as: one where all are alike, none where it is missing.
func (c *columnReader) held(b []byte) int {
	switch {
	case b == nil:
		return 0
	case column.IsConstant(b):
		return 1
	}
	return c.n
}

// readTexts reads the table of a column of texts and returns the numbers that say which of them processes have.
func (c *columnReader) readTexts(id metric.ID) (places []byte, err error) {
	_, outer := c.r.Open(maxFields)
	count, texts, places := c.r.Uint(), c.r.Bytes(MaxMessage), c.r.Bytes(MaxMessage)
	switch {
	case c.r.Err() != nil || places == nil || c.ps.passed.has(id):
	case count > uint64(c.n):
		err = fmt.Errorf("%d texts of %d processes", count, c.n)
	default:
		c.ps.texts[id], err = column.ReadTexts(texts, int(count), int(metric.Table[id].Limit))
	}
	c.r.Close(outer)
	return places, err
}

// readNumbers reads the numbers that were found. The columns share one piece of memory.
func (c *columnReader) readNumbers() {
	if c.r.Err() != nil {
		return
	}
	c.ps.room = takeRoom(c.room)
	room := *c.ps.room
	for id, b := range c.numbers {
		m, n := &metric.Table[id], c.held(b)
		if n == 0 {
			continue
		}
		values := room[:n:n]
		room = room[n:]
		c.ps.numbers[id] = values
		if m.Kind == metric.Text {
			c.check(metric.ID(id), column.ReadPlaces(values, b, len(c.ps.texts[id])))
		} else {
			c.check(metric.ID(id), m.Format().Read(values, b))
		}
	}
}

// rooms are those that nobody uses.
var rooms sync.Pool

// takeRoom returns room for n numbers, which may hold any.
func takeRoom(n int) *[]int64 {
	if room, ok := rooms.Get().(*[]int64); ok && cap(*room) >= n {
		*room = (*room)[:n]
		return room
	}
	room := make([]int64, n)
	return &room
}

// Release lets the next message be decoded into the memory that the numbers of m's processes are in. For that nobody may use
// the processes of m any more: it has none afterwards. Texts stay what they are. Who does not call it leaves the memory to the
// garbage collector.
func (m *Message) Release() {
	if m.Snapshot == nil || m.Snapshot.Processes.room == nil {
		return
	}
	rooms.Put(m.Snapshot.Processes.room)
	m.Snapshot.Processes = Processes{}
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
