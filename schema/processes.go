package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/proctape/proctape/schema/metric"
)

// Processes are the processes of a snapshot, by pid, column by column. The zero value has none. In JSON they are a list of
// [Process].
//
// A snapshot is written and read by columns because neighbours in a column are alike, and because whoever needs three
// columns need not touch the others.
type Processes struct {
	// The columns. One that says the same of all may hold it once, as a decoded one does; nil is unknown of all. The numbers
	// of a column of texts are the places of its texts in texts; without numbers each process has its own.
	numbers  [metric.Count][]int64
	texts    [metric.Count][]string
	syscalls map[int][]Syscall // by row; only of those that were traced
	room     *[]int64          // what a decoder made for the numbers, all of them; nil where none did
	passed   Columns           // that a decoder passed over
}

// ProcessesOf returns rows as columns. Their pids must rise.
func ProcessesOf(rows ...Process) Processes {
	var ps Processes
	ps.Grow(len(rows))
	for i := range rows {
		ps.Append(&rows[i])
	}
	return ps
}

// Grow makes room for n more processes.
func (ps *Processes) Grow(n int) {
	for id := range metric.Count {
		if metric.Table[id].Kind == metric.Text {
			ps.texts[id] = slices.Grow(ps.texts[id], n)
		} else {
			ps.numbers[id] = slices.Grow(ps.numbers[id], n)
		}
	}
}

// Append adds a process. It does not keep p, but its texts and system calls.
func (ps *Processes) Append(p *Process) {
	if len(p.Syscalls) > 0 {
		if ps.syscalls == nil {
			ps.syscalls = map[int][]Syscall{}
		}
		ps.syscalls[ps.Len()] = p.Syscalls
	}
	if ps.numbers[metric.Command] != nil {
		*ps = ProcessesOf(ps.Rows()...) // a decoded one: every column gets its rows
	}
	for _, id := range metric.Numbers {
		ps.numbers[id] = append(ps.numbers[id], p.number(id))
	}
	ps.texts[metric.Command] = append(ps.texts[metric.Command], p.Command)
	ps.texts[metric.Cgroup] = append(ps.texts[metric.Cgroup], p.Cgroup)
	ps.texts[metric.JobID] = append(ps.texts[metric.JobID], p.JobID)
}

// Reset removes all processes and keeps the memory.
func (ps *Processes) Reset() {
	for id := range metric.Count {
		ps.numbers[id] = ps.numbers[id][:0]
		clear(ps.texts[id])
		ps.texts[id] = ps.texts[id][:0]
	}
	for _, id := range metric.Texts {
		ps.numbers[id] = nil
	}
	clear(ps.syscalls)
}

// Len is how many there are.
func (ps *Processes) Len() int { return len(ps.numbers[metric.PID]) }

// Row returns a process.
func (ps *Processes) Row(row int) Process {
	var one [1]Process
	setRows(one[:], ps, row)
	return one[0]
}

// Each yields the processes one after another. One that is yielded is good until the next: for whoever keeps none of them this is
// cheaper than [Processes.Rows], which is memory for all.
func (ps *Processes) Each() iter.Seq[*Process] {
	return func(yield func(*Process) bool) {
		var block [rowsAtOnce]Process
		for from := 0; from < ps.Len(); from += rowsAtOnce {
			rows := block[:min(rowsAtOnce, ps.Len()-from)]
			setRows(rows, ps, from)
			for i := range rows {
				if !yield(&rows[i]) {
					return
				}
			}
		}
	}
}

// Rows returns the processes, for whoever keeps them.
func (ps *Processes) Rows() []Process {
	rows := make([]Process, ps.Len())
	for from := 0; from < len(rows); from += rowsAtOnce {
		setRows(rows[from:min(from+rowsAtOnce, len(rows))], ps, from)
	}
	return rows
}

// rowsAtOnce is how many rows are made at a time: as many as the processor has near while it goes through the columns.
const rowsAtOnce = 16

// setRows makes rows, at most rowsAtOnce, the processes from a row on. They are zero, or were made of ps before. It goes through the columns, not the rows:
// that is three times as fast.
func setRows(rows []Process, ps *Processes, from int) {
	var alike [rowsAtOnce]int64
	for _, id := range metric.Numbers {
		switch column := ps.numbers[id]; {
		case len(column) >= from+len(rows):
			setNumbers(rows, id, column[from:from+len(rows)])
		case len(column) == 1:
			for i := range rows {
				alike[i] = column[0]
			}
			setNumbers(rows, id, alike[:len(rows)])
		}
	}
	for i := range rows {
		p, row := &rows[i], from+i
		p.Command, p.Cgroup, p.JobID = ps.Text(metric.Command, row), ps.Text(metric.Cgroup, row), ps.Text(metric.JobID, row)
	}
	if len(ps.syscalls) > 0 {
		for i := range rows {
			rows[i].Syscalls = ps.syscalls[from+i]
		}
	}
}

// Number returns a process's value in one of metric.Numbers.
func (ps *Processes) Number(id metric.ID, row int) Opt[int64] {
	return optNumber(numberOf(ps, id, row))
}

func numberOf(ps *Processes, id metric.ID, row int) int64 {
	switch column := ps.numbers[id]; {
	case row < len(column):
		return column[row]
	case len(column) == 1:
		return column[0]
	}
	return unknown
}

// PID returns a process's id.
func (ps *Processes) PID(row int) int { return int(ps.numbers[metric.PID][row]) }

// StartTicks returns when a process started, in hundredths of a second after boot.
func (ps *Processes) StartTicks(row int) uint64 { return uint64(numberOf(ps, metric.StartTicks, row)) }

// Text returns a process's value in a column of kind metric.Text: metric.Command, metric.Cgroup or metric.JobID. It is empty
// for none.
func (ps *Processes) Text(id metric.ID, row int) string {
	place := row
	if places := ps.numbers[id]; places != nil {
		place = int(places[min(row, len(places)-1)])
	}
	if texts := ps.texts[id]; place < len(texts) {
		return texts[place]
	}
	return ""
}

// textsOf returns the texts of all processes in a column, or none where it has none.
func textsOf(ps *Processes, id metric.ID) []string {
	if ps.numbers[id] == nil {
		return ps.texts[id]
	}
	texts := make([]string, ps.Len())
	for row := range texts {
		texts[row] = ps.Text(id, row)
	}
	return texts
}

// Syscalls returns what a tracer counted of a process; nil for most.
func (ps *Processes) Syscalls(row int) []Syscall { return ps.syscalls[row] }

// Find returns the row of a pid.
func (ps *Processes) Find(pid int) (row int, ok bool) {
	return slices.BinarySearch(ps.numbers[metric.PID], int64(pid))
}

// MarshalJSON writes the processes row by row.
func (ps Processes) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for p := range ps.Each() {
		row, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, row...)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads a list of processes, one after another.
func (ps *Processes) UnmarshalJSON(b []byte) error {
	*ps = Processes{}
	d := json.NewDecoder(bytes.NewReader(b))
	start, err := d.Token()
	switch {
	case err != nil:
		return err
	case start == nil: // null
		return nil
	case start != json.Delim('['):
		return fmt.Errorf("processes are %v, want a list", start)
	}
	for d.More() {
		var p Process
		if err := d.Decode(&p); err != nil {
			return err
		}
		ps.Append(&p)
	}
	return nil
}

// JobOf returns the job that a process of a snapshot belongs to; its ID is empty for none.
func JobOf(ps *Processes, row int) JobKey {
	return jobKey(ps.Text(metric.JobID, row), numberOf(ps, metric.Fleet, row) > 0)
}

// ColumnOf returns the numbers of a column, one for each process; one for all of them where that is what they all have; none where none is known. A number
// below 0 is unknown. The caller changes nothing.
func ColumnOf(ps *Processes, id metric.ID) []int64 { return ps.numbers[id] }

// AppendColumns adds a process of which only some numbers are known, by their metrics, and its texts. Every process of the list has the same metrics; the
// others are unknown of all. A number below 0 is unknown. The pids must rise, where metric.PID is among them.
func AppendColumns(ps *Processes, ids []metric.ID, numbers []int64, command, cgroup, job string) {
	for i, id := range ids {
		ps.numbers[id] = append(ps.numbers[id], max(numbers[i], unknown))
	}
	ps.texts[metric.Command] = append(ps.texts[metric.Command], command)
	ps.texts[metric.Cgroup] = append(ps.texts[metric.Cgroup], cgroup)
	ps.texts[metric.JobID] = append(ps.texts[metric.JobID], job)
}
