package store

import (
	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/schema"
)

// Event is a row of process_events.
type Event struct {
	ID, HostID    int64
	Message       *schema.Message // that the event is of
	*schema.Event                 // one of its events
	Seq           uint64          // the event's number, counted per producer and kind
}

const eventColumns = `id, timestamp, pid, event_type, exit_code, signal_num, job_id, sheet_num, details, host_id, boot_id,
	boot_ns, start_ticks, ppid, uid, command, core, cpu_ms, peak_rss_kib, read_kib, write_kib, lifetime_ms,
	sampled_cpu_ms, source, instance, seq, fleet, within_ms, system_cpu_ms`

// column is the value of one of eventColumns.
func (e *Event) column(col int) vtab.Value {
	switch col {
	case 0:
		return e.ID
	case 1:
		return schema.Timestamp(e.Wall)
	case 2:
		return int64(e.PID)
	case 3:
		return e.Message.Kind.EventType()
	case 4:
		return optional(e.ExitCode)
	case 5:
		return optional(e.Signal)
	case 6:
		return optionalText(e.JobID)
	case 7:
		return optional(e.Sheet)
	case 8:
		return e.Details
	case 9:
		return e.HostID
	case 10:
		return e.Message.BootID
	case 11:
		return e.Boot
	case 12:
		return int64(e.StartTicks)
	case 13:
		return optional(e.PPID)
	case 14:
		return optional(e.UID)
	case 15:
		return e.Command
	case 16:
		return e.Core
	}
	return e.countedColumn(col)
}

// countedColumn is the value of one of eventColumns from the seventeenth on: what was counted, and where it comes from.
func (e *Event) countedColumn(col int) vtab.Value {
	switch col {
	case 17:
		return optional(e.CPUMillis)
	case 18:
		return optional(e.PeakRSS)
	case 19:
		return optional(e.ReadKiB)
	case 20:
		return optional(e.WriteKiB)
	case 21:
		return optional(e.Lifetime)
	case 22:
		return optional(e.SampledCPU)
	case 23:
		return e.Source
	case 24:
		return e.Message.Instance.String()
	case 25:
		return int64(e.Seq)
	case 26:
		return e.Job().Fleet
	case 27:
		return optional(e.Within)
	}
	return optional(e.System)
}
