package projector

import (
	"database/sql/driver"

	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/schema"
)

// sample is one row of samples.
type sample struct {
	snapshotID, processID int64
	state                 string // "S" is stored as NULL
	cpu, rss, vms, fds    schema.Opt[int64]
	gpuMemory             schema.Opt[int64]
	threads, cpuMillis    int64
	calls, times          string // JSON objects; empty is stored as NULL
}

// batchTable hands rows to SQLite as a virtual table, so that one statement writes them all: without a bind, a step and
// a reset for each row (docs/performance.md). It is its own module, its own table and its own cursor, for there is one
// writer and it reads from start to end.
type batchTable struct {
	columns string                           // names, with commas
	rows    int                              // how many there are
	value   func(row, column int) vtab.Value // what they hold
	next    int
}

func (t *batchTable) Create(c vtab.Context, _ []string) (vtab.Table, error) {
	return t, c.Declare(`CREATE TABLE batch(` + t.columns + `)`)
}

func (t *batchTable) Connect(c vtab.Context, args []string) (vtab.Table, error) {
	return t.Create(c, args)
}
func (t *batchTable) BestIndex(*vtab.IndexInfo) error { return nil }
func (t *batchTable) Open() (vtab.Cursor, error)      { return t, nil }
func (t *batchTable) Disconnect() error               { return nil }
func (t *batchTable) Destroy() error                  { return nil }

func (t *batchTable) Filter(int, string, []vtab.Value) error {
	t.next = 0
	return nil
}

func (t *batchTable) Next() error {
	t.next++
	return nil
}

func (t *batchTable) Eof() bool                          { return t.next >= t.rows }
func (t *batchTable) Rowid() (int64, error)              { return int64(t.next), nil }
func (t *batchTable) Close() error                       { return nil }
func (t *batchTable) Column(col int) (vtab.Value, error) { return t.value(t.next, col), nil }

const sampleColumns = `snapshot_id, process_id, state, cpu_permille, rss_kib, vms_kib, threads, open_fds, cpu_ms,
	syscall_counts, syscall_time_pct, gpu_memory_kib`

// column is the value of one of sampleColumns.
func (s *sample) column(col int) vtab.Value {
	switch col {
	case 0:
		return s.snapshotID
	case 1:
		return s.processID
	case 2:
		if s.state == "S" {
			return nil
		}
		return s.state
	case 3:
		return nullable(s.cpu)
	case 4:
		return nullable(s.rss)
	case 5:
		return nullable(s.vms)
	case 6:
		return s.threads
	case 7:
		return nullable(s.fds)
	case 8:
		return s.cpuMillis
	case 9:
		return nullText(s.calls)
	case 10:
		return nullText(s.times)
	}
	return nullable(s.gpuMemory)
}

const processColumns = `id, host_id, boot_id, pid, start_ticks, ppid, command, job_id, sheet_num, uid, cgroup,
	first_snapshot, last_snapshot, ended, ended_boot_ns, cpu_ms, max_cpu_permille, peak_rss_kib, read_kib, write_kib`

// column is the value of one of processColumns.
func (p *process) column(col int) vtab.Value {
	switch col {
	case 0:
		return p.id
	case 1:
		return p.hostID
	case 2:
		return p.bootID
	case 3:
		return int64(p.pid)
	case 4:
		return int64(p.startTicks)
	case 5:
		return int64(p.ppid)
	case 6:
		return p.command
	case 7:
		return nullText(p.job)
	case 8:
		return nullable(p.sheet)
	case 9:
		return nullable(p.uid)
	case 10:
		return nullText(p.cgroup)
	case 11:
		return p.first
	case 12:
		return p.last
	case 13:
		return p.endedAt()
	case 14:
		return p.endedBootAt()
	case 15:
		return p.cpuMillis
	case 16:
		return nullable(p.maxCPU)
	case 17:
		return nullable(p.peakRSS)
	case 18:
		return nullable(p.readKiB)
	}
	return nullable(p.writeKiB)
}

// eventRow is one row of process_events.
type eventRow struct {
	id, hostID int64
	message    *schema.Message // that the event is of
	*schema.Event
	number uint64
}

const eventColumns = `id, timestamp, pid, event_type, exit_code, signal_num, job_id, sheet_num, details, host_id, boot_id,
	boot_ns, start_ticks, ppid, uid, command, core, cpu_ms, peak_rss_kib, read_kib, write_kib, lifetime_ms,
	sampled_cpu_ms, source, instance, seq`

// column is the value of one of eventColumns.
func (e *eventRow) column(col int) vtab.Value {
	switch col {
	case 0:
		return e.id
	case 1:
		return schema.Timestamp(e.Wall)
	case 2:
		return int64(e.PID)
	case 3:
		return e.message.Kind.EventType()
	case 4:
		return nullable(e.ExitCode)
	case 5:
		return nullable(e.Signal)
	case 6:
		return nullText(e.JobID)
	case 7:
		return nullable(e.Sheet)
	case 8:
		return e.Details
	case 9:
		return e.hostID
	case 10:
		return e.message.BootID
	case 11:
		return e.Boot
	case 12:
		return int64(e.StartTicks)
	case 13:
		return nullable(e.PPID)
	case 14:
		return nullable(e.UID)
	case 15:
		return e.Command
	case 16:
		return e.Core
	case 17:
		return nullable(e.CPUMillis)
	case 18:
		return nullable(e.PeakRSS)
	case 19:
		return nullable(e.ReadKiB)
	case 20:
		return nullable(e.WriteKiB)
	case 21:
		return nullable(e.Lifetime)
	case 22:
		return nullable(e.SampledCPU)
	case 23:
		return e.Source
	case 24:
		return e.message.Instance.String()
	}
	return int64(e.number)
}

// endedAt is when the process was last seen, as SQL has it.
func (p *process) endedAt() any {
	if p.ended == 0 {
		return nil
	}
	return p.ended
}

// endedBootAt is the same by the boot clock.
func (p *process) endedBootAt() any {
	if p.ended == 0 {
		return nil
	}
	return p.endedBoot
}

// nullable is the value as SQL has it: NULL for unknown.
func nullable(o schema.Opt[int64]) driver.Value {
	if !o.Known {
		return nil
	}
	return o.V
}

// nullText is the text as SQL has it: NULL for none.
func nullText(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}
