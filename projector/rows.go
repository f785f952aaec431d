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

// samplesTable hands the samples of a batch to SQLite as a virtual table, so that one statement inserts them all:
// without a bind, a step and a reset for each row (docs/performance.md). It is its own module, its own
// table and its own cursor, for there is one writer and it reads from start to end.
type samplesTable struct {
	rows []sample
	next int
}

const samplesModule = "proctape_samples"

func (t *samplesTable) Create(c vtab.Context, _ []string) (vtab.Table, error) {
	return t, c.Declare(`CREATE TABLE samples(snapshot_id, process_id, state, cpu_permille, rss_kib, vms_kib,
		threads, open_fds, cpu_ms, syscall_counts, syscall_time_pct, gpu_memory_kib)`)
}

func (t *samplesTable) Connect(c vtab.Context, args []string) (vtab.Table, error) {
	return t.Create(c, args)
}
func (t *samplesTable) BestIndex(*vtab.IndexInfo) error { return nil }
func (t *samplesTable) Open() (vtab.Cursor, error)      { return t, nil }
func (t *samplesTable) Disconnect() error               { return nil }
func (t *samplesTable) Destroy() error                  { return nil }

func (t *samplesTable) Filter(int, string, []vtab.Value) error {
	t.next = 0
	return nil
}

func (t *samplesTable) Next() error {
	t.next++
	return nil
}

func (t *samplesTable) Eof() bool             { return t.next >= len(t.rows) }
func (t *samplesTable) Rowid() (int64, error) { return int64(t.next), nil }
func (t *samplesTable) Close() error          { return nil }

func (t *samplesTable) Column(col int) (vtab.Value, error) {
	s := &t.rows[t.next]
	switch col {
	case 0:
		return s.snapshotID, nil
	case 1:
		return s.processID, nil
	case 2:
		if s.state == "S" {
			return nil, nil
		}
		return s.state, nil
	case 3:
		return nullable(s.cpu), nil
	case 4:
		return nullable(s.rss), nil
	case 5:
		return nullable(s.vms), nil
	case 6:
		return s.threads, nil
	case 7:
		return nullable(s.fds), nil
	case 8:
		return s.cpuMillis, nil
	case 9:
		return nullText(s.calls), nil
	case 10:
		return nullText(s.times), nil
	}
	return nullable(s.gpuMemory), nil
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
