package projector

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// processAggregator gathers the samples of a minute's processes, by the rows that describe them.
type processAggregator struct {
	rows    map[int64]*minuteOfProcess
	order   []int64 // row ids as they came
	dropped int     // processes beyond what a message may hold
}

// minuteOfProcess is the samples of one description of a process.
type minuteOfProcess struct {
	samples  int64
	cpu, rss []int64 // those that are known
	last     head    // the last snapshot that had it
}

func newProcessAggregator() *processAggregator {
	return &processAggregator{rows: map[int64]*minuteOfProcess{}}
}

// add takes in a snapshot, which is newer than those before, and returns what all its processes used, in thousandths of
// a core.
func (a *processAggregator) add(ctx context.Context, db *sql.DB, h head) (busy int64, err error) {
	var id int64
	var cpu, rss sql.NullInt64
	err = each(ctx, db, `SELECT process_id, cpu_permille, rss_kib FROM samples WHERE snapshot_id = ?`, func(rows *sql.Rows) error {
		if err := rows.Scan(&id, &cpu, &rss); err != nil {
			return err
		}
		m := a.rows[id]
		if m == nil {
			if len(a.rows) == schema.MaxProcesses {
				a.dropped++
				return nil
			}
			m = new(minuteOfProcess)
			a.rows[id] = m
			a.order = append(a.order, id)
		}
		m.samples++
		m.last = h
		if cpu.Valid {
			m.cpu = append(m.cpu, cpu.Int64)
			busy += cpu.Int64
		}
		if rss.Valid {
			m.rss = append(m.rss, rss.Int64)
		}
		return nil
	}, h.id)
	if err != nil {
		return 0, fmt.Errorf("read the samples of snapshot %d: %w", h.id, err)
	}
	return busy, nil
}

// rollups is the aggregates of all processes.
func (a *processAggregator) rollups(ctx context.Context, db *sql.DB, expected int64) ([]schema.ProcessRollup, error) {
	describe, err := db.PrepareContext(ctx, `SELECT p.pid, coalesce(p.ppid,0), p.start_ticks, p.boot_id, p.uid, coalesce(p.command,''),
		coalesce(p.job_id,''), p.sheet_num, coalesce(m.state,'S'), m.vms_kib, coalesce(m.threads,0), m.open_fds, coalesce(m.cpu_ms,0)
		FROM processes p JOIN samples m ON m.process_id = p.id AND m.snapshot_id = ?1 WHERE p.id = ?2`)
	if err != nil {
		return nil, err
	}
	defer describe.Close()
	out := make([]schema.ProcessRollup, 0, len(a.order))
	for _, id := range a.order {
		m := a.rows[id]
		p := schema.ProcessRollup{Samples: m.samples, LastBoot: m.last.boot,
			CPU: schema.SpreadOf(m.cpu, expected), RSS: schema.SpreadOf(m.rss, expected)}
		var uid, sheet, vms, fds sql.NullInt64
		if err := describe.QueryRowContext(ctx, m.last.id, id).Scan(&p.PID, &p.PPID, &p.StartTicks, &p.BootID, &uid, &p.Command,
			&p.JobID, &sheet, &p.State, &vms, &p.Threads, &fds, &p.CPUMillis); err != nil {
			return nil, fmt.Errorf("read process %d: %w", id, err)
		}
		p.UID, p.Sheet, p.VMS, p.OpenFDs = known(uid), known(sheet), known(vms), known(fds)
		out = append(out, p)
	}
	return mergeProcesses(nil, out, expected), nil
}
