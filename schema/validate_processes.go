package schema

import (
	"errors"
	"fmt"

	"github.com/proctape/proctape/schema/metric"
)

// columnChecks says which columns of processes are to be checked. Whoever reads checks each distinct text of a column once, and
// whoever writes checks each column as it goes through it.
type columnChecks uint8

const (
	allColumns columnChecks = iota
	numbersOnly
	noColumns
)

// validateProcesses checks each column, and that pids rise: a pid lives once in a snapshot, and the tables are written in this
// order.
func validateProcesses(ps *Processes, checks columnChecks) error {
	if n := ps.Len(); n > MaxProcesses {
		return fmt.Errorf("%d processes, the limit is %d", n, MaxProcesses)
	}
	for id := range metric.Count {
		var row int
		m := &metric.Table[id]
		err := validateLength(ps, id)
		switch {
		case err != nil || checks == noColumns:
		case m.Kind != metric.Text:
			row, err = validateValues(m, ps.numbers[id])
		case checks == allColumns:
			row, err = validateTexts(m, textsOf(ps, id))
		}
		if err != nil {
			return wrongProcess(ps, row, err)
		}
	}
	if err := validatePIDs(ps); err != nil {
		return err
	}
	return validateSyscalls(ps)
}

// wrongProcess says of which process a value is wrong.
func wrongProcess(ps *Processes, row int, err error) error {
	return fmt.Errorf("process %d, pid %d: %w", row, numberOf(ps, metric.PID, row), err)
}

// validateLength checks that a column has a value of each process, or one of all.
func validateLength(ps *Processes, id metric.ID) error {
	m, n := &metric.Table[id], ps.Len()
	length, none := len(ps.numbers[id]), m.MayBeUnknown() || ps.passed.has(id)
	if m.Kind == metric.Text && ps.numbers[id] == nil {
		length, none = len(ps.texts[id]), true
	}
	if length == n || length == 1 || length == 0 && none {
		return nil
	}
	return fmt.Errorf("%d values of %s for %d processes", length, m.Name, n)
}

// validateValues returns the first row whose value is none that a machine can have, and what is wrong with it.
func validateValues(m *metric.Metric, values []int64) (row int, err error) {
	least, most := m.Least(), m.Limit
	for row, v := range values {
		if v < least || v > most || m.Kind == metric.Letter && !isLetter(v) {
			if err := validateNumber(m, v); err != nil {
				return row, err
			}
		}
	}
	return 0, nil
}

func validateNumber(m *metric.Metric, v int64) error {
	switch {
	case v == unknown && m.MayBeUnknown():
	case m.Kind == metric.Letter && isLetter(v):
	case m.Kind == metric.Letter:
		return fmt.Errorf("%s is not one letter", m.Name)
	case v < 0:
		return fmt.Errorf("%s is negative, or above 2^63", m.Name)
	case v > m.Limit:
		return fmt.Errorf("%s %d is more than a machine can have, which is %d", m.Name, v, m.Limit)
	}
	return nil
}

func validateTexts(m *metric.Metric, values []string) (row int, err error) {
	for row, s := range values {
		if err := text(m.Name, s, int(m.Limit)); err != nil {
			return row, err
		}
	}
	return 0, nil
}

func validatePIDs(ps *Processes) error {
	last := int64(0)
	for row, pid := range ps.numbers[metric.PID] {
		if pid <= last {
			return fmt.Errorf("process %d: pid %d after pid %d: want them rising", row, pid, last)
		}
		last = pid
	}
	return nil
}

func validateSyscalls(ps *Processes) error {
	calls := 0
	for row, list := range ps.syscalls {
		if row < 0 || row >= ps.Len() {
			return fmt.Errorf("system calls of process %d of %d", row, ps.Len())
		}
		if calls += len(list); calls > maxSyscalls {
			return fmt.Errorf("more than %d system calls in one snapshot", maxSyscalls)
		}
		err := eachOf("system call", list, maxList, func(c *Syscall) error {
			if c.Name == "" {
				return errors.New("no name")
			}
			return errors.Join(text("name", c.Name, MaxName), boundCount.checkUnsigned("count", c.Calls),
				boundShare.checkUnsigned("time_pct_x100", c.TimeX100))
		})
		if err != nil {
			return fmt.Errorf("pid %d: %w", ps.PID(row), err)
		}
	}
	return nil
}
