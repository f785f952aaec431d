package retention

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// processAggregator gathers the samples of a minute's processes, by the rows that describe them.
type processAggregator struct {
	rows    map[int64]*minuteOfProcess
	order   []int64 // row ids as they came
	dropped int     // processes beyond what a message may hold
}

// minuteOfProcess is the samples of one description of a process.
type minuteOfProcess struct {
	samples int64
	spreads [][]int64 // the values of each of metric.Spreads that are known
	last    head      // the last snapshot that had it
	sample  int64     // its row there
}

func newProcessAggregator() *processAggregator {
	return &processAggregator{rows: map[int64]*minuteOfProcess{}}
}

var spreadQuery = `SELECT m.id, m.process_id, ` + metric.Columns("m", metric.Spreads) + ` FROM samples m WHERE m.id BETWEEN ? AND ?`

// add takes in a snapshot, which is newer than those before, and returns what all its processes used, in thousandths of
// a core.
func (a *processAggregator) add(ctx context.Context, db *sql.DB, h head) (busy int64, err error) {
	var sample, id int64
	values := make([]sql.NullInt64, len(metric.Spreads))
	into := append([]any{&sample, &id}, pointers(values)...)
	first, last := schema.SampleIDs(h.id)
	err = schema.EachRow(ctx, db, spreadQuery, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		m := a.minuteOf(id)
		if m == nil {
			return nil
		}
		m.samples++
		m.last, m.sample = h, sample
		for i, v := range values {
			if !v.Valid {
				continue
			}
			m.spreads[i] = append(m.spreads[i], v.Int64)
			if metric.Spreads[i] == metric.CPUPermille {
				busy += v.Int64
			}
		}
		return nil
	}, first, last)
	if err != nil {
		return 0, fmt.Errorf("read the samples of snapshot %d: %w", h.id, err)
	}
	return busy, nil
}

// minuteOf returns the minute of a process, by the row that describes it; nil for one beyond what a message may hold.
func (a *processAggregator) minuteOf(id int64) *minuteOfProcess {
	m := a.rows[id]
	if m == nil {
		if len(a.rows) == schema.MaxProcesses {
			a.dropped++
			return nil
		}
		m = &minuteOfProcess{spreads: make([][]int64, len(metric.Spreads))}
		a.rows[id] = m
		a.order = append(a.order, id)
	}
	return m
}

// pointers are where the values of a row go.
func pointers[T any](values []T) []any {
	list := make([]any, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

// described are the columns of a process and of one of its samples that a rollup keeps as they are.
var described = `SELECT m.process_id, p.pid, coalesce(p.ppid,0), p.start_ticks, p.boot_id, p.uid, coalesce(p.command,''),
	coalesce(p.job_id,''), p.fleet, p.sheet_num, ` + metric.Columns("m", metric.Lasts) + `
	FROM samples m JOIN processes p ON p.id = m.process_id WHERE m.id BETWEEN ? AND ?`

// readTogether is from how many processes on those of a snapshot are read in one pass over it.
const readTogether = 8

// rollups is the aggregates of all processes.
func (a *processAggregator) rollups(ctx context.Context, db *sql.DB, expected int64) ([]schema.ProcessRollup, error) {
	out := make([]schema.ProcessRollup, 0, len(a.order))
	lasts := map[int64][]int64{} // the samples of the processes that each snapshot was the last to have
	for _, id := range a.order {
		last := a.rows[id].last.id
		lasts[last] = append(lasts[last], a.rows[id].sample)
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
		for i, of := range metric.Spreads {
			*p.Spread(of) = schema.SpreadOf(m.spreads[i], expected)
		}
		out = append(out, p)
		return nil
	}
	for snapshot, samples := range lasts {
		reading = snapshot
		if err := readDescribed(ctx, db, snapshot, samples, add); err != nil {
			return nil, fmt.Errorf("read the processes of snapshot %d: %w", snapshot, err)
		}
	}
	return mergeProcesses(nil, out, expected), nil
}

// readDescribed passes on the rows of those processes that had their last sample in a snapshot.
func readDescribed(ctx context.Context, db *sql.DB, snapshot int64, samples []int64, add func(*sql.Rows) error) error {
	if len(samples) < readTogether {
		for _, id := range samples {
			if err := schema.EachRow(ctx, db, described, add, id, id); err != nil {
				return err
			}
		}
		return nil
	}
	first, last := schema.SampleIDs(snapshot)
	return schema.EachRow(ctx, db, described, add, first, last)
}

func scanDescribed(rows *sql.Rows) (id int64, p schema.ProcessRollup, err error) {
	var uid, sheet sql.NullInt64
	values := make([]any, len(metric.Lasts))
	err = rows.Scan(append([]any{&id, &p.PID, &p.PPID, &p.StartTicks, &p.BootID, &uid, &p.Command, &p.JobID, &p.Fleet, &sheet}, pointers(values)...)...)
	p.UID, p.Sheet = fromNull(uid), fromNull(sheet)
	for i, of := range metric.Lasts {
		p.SetLast(of, schema.NumberFromSQL(of, values[i]))
	}
	return id, p, err
}

// fromNull is a value of SQL: NULL is unknown.
func fromNull(v sql.NullInt64) schema.Opt[int64] {
	return schema.Opt[int64]{V: v.Int64, Known: v.Valid}
}
