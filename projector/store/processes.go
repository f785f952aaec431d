package store

import (
	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/schema"
)

// ProcessKey names a process for ever, whichever sampler saw it.
type ProcessKey struct {
	HostID     int64
	BootID     string
	PID        int
	StartTicks uint64 // hundredths of a second after boot
}

// Process is a row of processes: a process as it was described for a span of snapshots.
type Process struct {
	ID int64
	ProcessKey
	PPID    int
	Command string
	Job     schema.JobKey
	Sheet   schema.Opt[int64]
	UID     schema.Opt[int64]
	Cgroup  string

	First, Last int64   // snapshot ids; Last is [schema.OpenEnded] while the process is there
	Ended       float64 // Unix time of the last snapshot; 0 while the process is there
	EndedBoot   int64   // the same by the boot clock, ns
	CPUMillis   int64   // cumulative
	MaxCPU      schema.Opt[int64]
	PeakRSS     schema.Opt[int64]
	PeakAt      schema.Opt[int64] // the snapshot of the first sample of PeakRSS; an older build did not note it
	ReadKiB     schema.Opt[int64]
	WriteKiB    schema.Opt[int64]

	FirstRSS schema.Opt[int64] // of the first sample; known until it is stored

	Stored  bool // the row is in the database
	Queued  bool // the row is in the batch
	Counted bool // the row's job has been told of its pid
}

const processColumns = `id, host_id, boot_id, pid, start_ticks, ppid, command, job_id, sheet_num, uid, cgroup,
	first_snapshot, last_snapshot, ended, ended_boot_ns, cpu_ms, max_cpu_permille, peak_rss_kib, read_kib, write_kib, peak_snapshot, first_rss_kib, fleet`

// column is the value of one of processColumns.
func (p *Process) column(col int) vtab.Value {
	switch col {
	case 0:
		return p.ID
	case 1:
		return p.HostID
	case 2:
		return p.BootID
	case 3:
		return int64(p.PID)
	case 4:
		return int64(p.StartTicks)
	case 5:
		return int64(p.PPID)
	case 6:
		return p.Command
	case 7:
		return optionalText(p.Job.ID)
	case 8:
		return optional(p.Sheet)
	case 9:
		return optional(p.UID)
	case 10:
		return optionalText(p.Cgroup)
	case 11:
		return p.First
	case 12:
		return p.Last
	case 13:
		return p.ifEnded(p.Ended)
	case 14:
		return p.ifEnded(p.EndedBoot)
	case 15:
		return p.CPUMillis
	case 16:
		return optional(p.MaxCPU)
	case 17:
		return optional(p.PeakRSS)
	case 18:
		return optional(p.ReadKiB)
	case 19:
		return optional(p.WriteKiB)
	case 20:
		return optional(p.PeakAt)
	case 21:
		return optional(p.FirstRSS)
	}
	return p.Job.Fleet
}

// ifEnded is a value as SQL has it: NULL while the process is there.
func (p *Process) ifEnded(v vtab.Value) vtab.Value {
	if p.Ended == 0 {
		return nil
	}
	return v
}
