package schema

import (
	"errors"
	"fmt"

	"github.com/proctape/proctape/schema/metric"
)

// textChecks says whether the texts of processes are to be checked.
type textChecks bool

// Columns of texts are checked text by text as they are written and read, each distinct one once.
const (
	withTexts   textChecks = true
	exceptTexts textChecks = false
)

// validateProcesses checks each column, and that pids rise: a pid lives once in a snapshot, and the tables are written in this
// order.
func validateProcesses(ps *Processes, texts textChecks) error {
	if n := ps.Len(); n > MaxProcesses {
		return fmt.Errorf("%d processes, the limit is %d", n, MaxProcesses)
	}
	for id := range metric.Count {
		var row int
		var err error
		switch {
		case metric.Table[id].Kind != metric.Text:
			row, err = validateNumbers(&metric.Table[id], ps.numbers[id], ps.Len())
		case texts == withTexts:
			row, err = validateTexts(&metric.Table[id], textsOf(ps, id), ps.Len())
		}
		if err != nil {
			return fmt.Errorf("process %d, pid %d: %w", row, ps.number(metric.PID, row), err)
		}
	}
	if err := validatePIDs(ps); err != nil {
		return err
	}
	return validateSyscalls(ps)
}

// validateNumbers returns the first row whose value is none that a machine can have, and what is wrong with it.
func validateNumbers(m *metric.Metric, column []int64, n int) (row int, err error) {
	if len(column) != n && len(column) != 1 && !(len(column) == 0 && m.MayBeUnknown()) {
		return 0, fmt.Errorf("%d values of %s for %d processes", len(column), m.Name, n)
	}
	lowest := int64(0)
	if m.MayBeUnknown() {
		lowest = unknown
	}
	highest := m.Limit
	if m.Kind == metric.Letter {
		highest = lowest - 1 // not all numbers up to the limit are letters
	}
	for row, v := range column {
		if v < lowest || v > highest {
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
	case m.Kind == metric.Letter && letter(Letter(v)):
	case m.Kind == metric.Letter:
		return fmt.Errorf("%s is not one letter", m.Name)
	case v < 0:
		return fmt.Errorf("%s is negative, or above 2^63", m.Name)
	case v > m.Limit:
		return fmt.Errorf("%s %d is more than a machine can have, which is %d", m.Name, v, m.Limit)
	}
	return nil
}

func validateTexts(m *metric.Metric, column []string, n int) (row int, err error) {
	if len(column) != n && len(column) > 1 {
		return 0, fmt.Errorf("%d values of %s for %d processes", len(column), m.Name, n)
	}
	for row, s := range column {
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
