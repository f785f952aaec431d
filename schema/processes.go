package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema/metric"
)

// Processes are the processes of a snapshot, by pid, column by column. The zero value has none. In JSON they are a list of
// [Process].
//
// A snapshot is written and read by columns because neighbours in a column are alike, and because whoever needs three
// columns need not touch the others.
type Processes struct {
	// The columns. One that says the same of all may hold it once, as a decoded one does; nil is unknown of all.
	numbers  [metric.Count][]int64
	texts    [metric.Count][]string
	syscalls map[int][]Syscall // by row; only of those that were traced
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
	if n := ps.Len(); n > 0 && len(ps.numbers[metric.PPID]) < n {
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
	clear(ps.syscalls)
}

// Len is how many there are.
func (ps *Processes) Len() int { return len(ps.numbers[metric.PID]) }

// Row returns a process.
func (ps *Processes) Row(row int) Process { return rowsOf(ps, row, row+1)[0] }

// Rows returns the processes, for whoever needs them one by one.
func (ps *Processes) Rows() []Process { return rowsOf(ps, 0, ps.Len()) }

// rowsOf returns the processes from one row to before another. It goes through the columns, not the rows: that is three times
// as fast.
func rowsOf(ps *Processes, from, to int) []Process {
	rows := make([]Process, to-from)
	for _, id := range metric.Numbers {
		switch column := ps.numbers[id]; {
		case len(column) >= to:
			setNumbers(rows, id, column[from:to])
		default:
			setNumbers(rows, id, slices.Repeat([]int64{ps.number(id, from)}, to-from))
		}
	}
	for i := range rows {
		p, row := &rows[i], from+i
		p.Command, p.Cgroup, p.JobID = ps.Text(metric.Command, row), ps.Text(metric.Cgroup, row), ps.Text(metric.JobID, row)
		p.Syscalls = ps.syscalls[row]
	}
	return rows
}

// Number returns a process's value in one of metric.Numbers.
func (ps *Processes) Number(id metric.ID, row int) Opt[int64] { return optNumber(ps.number(id, row)) }

func (ps *Processes) number(id metric.ID, row int) int64 {
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
func (ps *Processes) StartTicks(row int) uint64 { return uint64(ps.number(metric.StartTicks, row)) }

// Text returns a process's value in a column of kind metric.Text: metric.Command, metric.Cgroup or metric.JobID. It is empty
// for none.
func (ps *Processes) Text(id metric.ID, row int) string {
	switch column := ps.texts[id]; {
	case row < len(column):
		return column[row]
	case len(column) == 1:
		return column[0]
	}
	return ""
}

// Syscalls returns what a tracer counted of a process; nil for most.
func (ps *Processes) Syscalls(row int) []Syscall { return ps.syscalls[row] }

// Find returns the row of a pid.
func (ps *Processes) Find(pid int) (row int, ok bool) {
	return slices.BinarySearch(ps.numbers[metric.PID], int64(pid))
}

// MarshalJSON writes the processes row by row.
func (ps Processes) MarshalJSON() ([]byte, error) {
	return json.Marshal(ps.Rows())
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
	return jobKey(ps.Text(metric.JobID, row), ps.number(metric.Fleet, row) > 0)
}
