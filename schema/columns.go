package schema

import "github.com/proctape/proctape/schema/metric"

// Columns are some of the columns of a snapshot's processes.
type Columns uint64

// everyColumn is all of them.
const everyColumn Columns = 1<<metric.Count - 1

// ColumnsOf are the columns of some metrics, and that of pids, without which there are no processes.
func ColumnsOf(ids ...metric.ID) Columns {
	c := Columns(1) << metric.PID
	for _, id := range ids {
		c |= 1 << id
	}
	return c
}

func (c Columns) has(id metric.ID) bool { return c>>id&1 == 1 }
