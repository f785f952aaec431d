package store

import (
	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// Sample is a row of samples: a process in a snapshot.
type Sample struct {
	SnapshotID, ProcessID int64
	*schema.Process       // of the message
}

const sampleColumns = `snapshot_id, process_id, state, cpu_permille, rss_kib, vms_kib, threads, open_fds, cpu_ms,
	syscall_counts, syscall_time_pct, gpu_memory_kib`

// column is the value of one of sampleColumns.
func (s *Sample) column(col int) vtab.Value {
	switch col {
	case 0:
		return s.SnapshotID
	case 1:
		return s.ProcessID
	case 2:
		return optionalState(s.State)
	case 3:
		return optional(s.CPUPermille)
	case 4:
		return optional(s.RSS)
	case 5:
		return optional(s.VMS)
	case 6:
		return int64(s.Threads)
	case 7:
		return optional(s.OpenFDs)
	case 8:
		return int64(s.CPUMillis)
	case 9:
		return s.syscalls(ndjson.AppendSyscallCounts)
	case 10:
		return s.syscalls(ndjson.AppendSyscallTimes)
	}
	return optional(s.GPUMemory)
}

// syscalls is a JSON object of the process's system calls; NULL for none.
func (s *Sample) syscalls(appendTo func([]byte, []schema.Syscall) []byte) vtab.Value {
	if len(s.Syscalls) == 0 {
		return nil
	}
	return string(appendTo(nil, s.Syscalls))
}
