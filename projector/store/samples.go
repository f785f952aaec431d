package store

import (
	"strings"

	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// Sample is a row of samples: a process in a snapshot.
type Sample struct {
	SnapshotID, ProcessID int64
	*schema.Processes     // of the message
	Row                   int
}

// sampleKeys are the columns of samples that are not in the table of metrics. Those that are follow them.
var sampleKeys = []string{"id", "process_id", "syscall_counts", "syscall_time_pct"}

var sampleColumns = strings.Join(append(sampleKeys, metric.Names(metric.Samples)...), ", ")

// column is the value of one of sampleColumns.
func (s *Sample) column(col int) vtab.Value {
	switch col {
	case 0:
		return schema.SampleID(s.SnapshotID, s.PID(s.Row))
	case 1:
		return s.ProcessID
	case 2:
		return s.syscalls(ndjson.AppendSyscallCounts)
	case 3:
		return s.syscalls(ndjson.AppendSyscallTimes)
	}
	id := metric.Samples[col-len(sampleKeys)]
	return measured(id, s.Number(id, s.Row))
}

// syscalls is a JSON object of the process's system calls; NULL for none.
func (s *Sample) syscalls(appendTo func([]byte, []schema.Syscall) []byte) vtab.Value {
	calls := s.Syscalls(s.Row)
	if len(calls) == 0 {
		return nil
	}
	return string(appendTo(nil, calls))
}
