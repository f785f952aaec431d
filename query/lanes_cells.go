package query

import (
	"context"
	"database/sql"
	"math"
	"slices"
)

// cellReader reads the cells of lanes.
type cellReader struct{ *laneReader }

// readCells reads the lives that are too short for bars, in no more than most cells of a group.
func (r *cellReader) readCells(ctx context.Context, db *DB, most int) error {
	if r.shortest == 0 {
		return nil
	}
	many, err := r.hasManyShort(ctx, db)
	for ; err == nil; most /= 2 {
		r.Cells, r.Cell, r.CellsOf = r.Cells[:0], CellFor(r.To-r.From, most), OfLives
		if many {
			r.Cell, r.CellsOf = max(r.Cell, Minute), OfMinutes
			err = r.readMinuteCells(ctx, db)
		} else {
			err = r.readLifeCells(ctx, db)
		}
		if len(r.Cells) <= mostCells || most <= 1 {
			break
		}
	}
	return err
}

// hasManyShort reports whether there are so many short lives that their minutes are read.
func (r *cellReader) hasManyShort(ctx context.Context, db *DB) (bool, error) {
	left := int64(mostLives)
	for class := range r.shortest {
		where, args := r.where(class)
		var n int64
		err := each(ctx, db.db, `SELECT count(*) FROM (SELECT 1 FROM lives l WHERE `+where+` LIMIT ?)`, append(args, left+1), func(rows *sql.Rows) error { return rows.Scan(&n) })
		if left -= n; err != nil || left < 0 {
			return true, err
		}
	}
	return false, nil
}

func (r *cellReader) scanCell(rows *sql.Rows) (err error) {
	var c LifeCell
	var cell int64
	c.Group, err = r.scanGroup(rows, &cell, &c.Lives, &c.Deaths, &c.Seconds, &c.CPU)
	c.Timestamp = float64(cell) * r.Cell
	r.Cells = append(r.Cells, c)
	return err
}

// readLifeCells makes cells of the lives themselves.
func (r *cellReader) readLifeCells(ctx context.Context, db *DB) error {
	for class := range r.shortest {
		where, args := r.where(class)
		err := each(ctx, db.db, `SELECT h.name, l.job_id, l.fleet, l.sheet_num, CAST(floor(max(l.start_ms, ?) / 1000.0 / ?) AS INTEGER) AS cell, count(*), count(e.signal_num),
			sum(l.end_ms - l.start_ms) / 1000.0, total(e.cpu_ms) / 1000.0 FROM lives l JOIN hosts h ON h.id = l.host_id LEFT JOIN process_events e ON e.id = l.event_id
			WHERE `+where+` GROUP BY l.host_id, l.job_id, l.fleet, l.sheet_num, cell`, append([]any{r.From * 1000, r.Cell}, args...), r.scanCell)
		if err != nil {
			return err
		}
	}
	r.Cells = mergedCells(r.Cells)
	return nil
}

// mergedCells are cells of which those of one group and time are one.
func mergedCells(cells []LifeCell) []LifeCell {
	slices.SortFunc(cells, compareCells)
	out := cells[:0]
	for _, c := range cells {
		if n := len(out); n > 0 && compareCells(out[n-1], c) == 0 {
			last := &out[n-1]
			seconds := *last.Seconds + *c.Seconds
			last.Lives, last.Deaths, last.Seconds, last.CPU = last.Lives+c.Lives, last.Deaths+c.Deaths, &seconds, last.CPU+c.CPU
			continue
		}
		out = append(out, c)
	}
	return out
}

// readMinuteCells makes cells of minutes.
func (r *cellReader) readMinuteCells(ctx context.Context, db *DB) error {
	more, values := r.picked("m")
	return each(ctx, db.db, `SELECT h.name, m.job_id, m.fleet, m.sheet_num, CAST(floor(m.timestamp / ?) AS INTEGER) AS cell, max(sum(starts), sum(ends)), sum(deaths), NULL,
		(total(cpu_ms) + total(exit_cpu_ms)) / 1000.0 FROM step_minutes m JOIN hosts h ON h.id = m.host_id WHERE m.timestamp >= ? AND m.timestamp < ?`+more+`
		GROUP BY m.host_id, m.job_id, m.fleet, m.sheet_num, cell HAVING sum(starts) + sum(ends) > 0`,
		append([]any{r.Cell, math.Floor(r.From/Minute) * Minute, r.To}, values...), r.scanCell)
}
