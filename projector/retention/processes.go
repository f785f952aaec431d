package retention

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

// described are the columns of a process and of one of its samples that a rollup keeps as they are.
const described = `SELECT m.process_id, p.pid, coalesce(p.ppid,0), p.start_ticks, p.boot_id, p.uid, coalesce(p.command,''),
	coalesce(p.job_id,''), p.sheet_num, coalesce(m.state,'S'), m.vms_kib, coalesce(m.threads,0), m.open_fds, coalesce(m.cpu_ms,0)
	FROM samples m JOIN processes p ON p.id = m.process_id WHERE m.snapshot_id = ?`

// readTogether is from how many processes on those of a snapshot are read in one pass over it.
const readTogether = 8

// rollups is the aggregates of all processes.
func (a *processAggregator) rollups(ctx context.Context, db *sql.DB, expected int64) ([]schema.ProcessRollup, error) {
	out := make([]schema.ProcessRollup, 0, len(a.order))
	lasts := map[int64][]int64{} // the processes that each snapshot was the last to have
	for _, id := range a.order {
		last := a.rows[id].last.id
		lasts[last] = append(lasts[last], id)
	}
	var reading int64 // the snapshot that is being read
	add := func(rows *sql.Rows) error {
		id, p, err := scanDescribed(rows)
		if err != nil {
			return err
		}
		m := a.rows[id]
		if m == nil || m.last.id != reading { // beyond what a message may hold, or a later snapshot has it too
			return nil
		}
		p.Samples, p.LastBoot = m.samples, m.last.boot
		p.CPU, p.RSS = schema.SpreadOf(m.cpu, expected), schema.SpreadOf(m.rss, expected)
		out = append(out, p)
		return nil
	}
	for snapshot, ids := range lasts {
		reading = snapshot
		if err := readDescribed(ctx, db, snapshot, ids, add); err != nil {
			return nil, fmt.Errorf("read the processes of snapshot %d: %w", snapshot, err)
		}
	}
	return mergeProcesses(nil, out, expected), nil
}

// readDescribed passes on the rows of those processes that had their last sample in a snapshot.
func readDescribed(ctx context.Context, db *sql.DB, snapshot int64, ids []int64, add func(*sql.Rows) error) error {
	if len(ids) < readTogether {
		for _, id := range ids {
			if err := each(ctx, db, described+` AND m.process_id = ?`, add, snapshot, id); err != nil {
				return err
			}
		}
		return nil
	}
	return each(ctx, db, described, add, snapshot)
}

func scanDescribed(rows *sql.Rows) (id int64, p schema.ProcessRollup, err error) {
	var uid, sheet, vms, fds sql.NullInt64
	err = rows.Scan(&id, &p.PID, &p.PPID, &p.StartTicks, &p.BootID, &uid, &p.Command, &p.JobID, &sheet, &p.State, &vms, &p.Threads,
		&fds, &p.CPUMillis)
	p.UID, p.Sheet, p.VMS, p.OpenFDs = fromNull(uid), fromNull(sheet), fromNull(vms), fromNull(fds)
	return id, p, err
}

// fromNull is a value of SQL: NULL is unknown.
func fromNull(v sql.NullInt64) schema.Opt[int64] {
	return schema.Opt[int64]{V: v.Int64, Known: v.Valid}
}
