package query

import (
	"context"
	"database/sql"
	"math"
	"slices"
)

// cellReader reads the cells of lanes.
type cellReader struct{ *laneReader }

// readCells reads the lives that are too short for bars, in no more than most cells of a group. Where there are too many of all groups, cells are joined
// to longer ones: to read them anew would take as long again.
func (r *cellReader) readCells(ctx context.Context, db *DB, most int) error {
	if r.shortest == 0 {
		return nil
	}
	many, err := r.hasManyShort(ctx, db)
	if err != nil {
		return err
	}
	r.Cell, r.CellsOf = CellFor(r.To-r.From, most), OfLives
	if many {
		r.Cell, r.CellsOf = max(r.Cell, Minute), OfMinutes
		err = r.readMinuteCells(ctx, db)
	} else {
		err = r.readLifeCells(ctx, db)
	}
	for err == nil && len(r.Cells) > mostCells && r.Cell < r.To-r.From {
		longer := longerCell(r.Cell)
		if longer == r.Cell {
			break
		}
		r.Cell = longer
		for i := range r.Cells {
			r.Cells[i].Timestamp = math.Floor(r.Cells[i].Timestamp/longer) * longer
		}
		r.Cells = mergedCells(r.Cells)
	}
	for i := range r.Cells {
		r.Cells[i].Lives = max(r.Cells[i].starts, r.Cells[i].ends)
	}
	return err
}

// longerCell is the next length of a cell that holds whole cells of a length; the same when there is none.
func longerCell(cell float64) float64 {
	for _, longer := range cells {
		if longer > cell && math.Mod(longer, cell) == 0 {
			return longer
		}
	}
	return cell
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
	c.Group, err = r.scanGroup(rows, &cell, &c.starts, &c.ends, &c.Deaths, &c.Seconds, &c.CPU)
	c.Timestamp = float64(cell) * r.Cell
	r.Cells = append(r.Cells, c)
	return err
}

// readLifeCells makes cells of the lives themselves.
func (r *cellReader) readLifeCells(ctx context.Context, db *DB) error {
	for class := range r.shortest {
		where, args := r.where(class)
		err := each(ctx, db.db, `SELECT h.name, l.job_id, l.fleet, l.sheet_num, CAST(floor(max(l.start_ms, ?) / 1000.0 / ?) AS INTEGER) AS cell, count(*), count(*), count(e.signal_num),
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
			last.starts, last.ends, last.Deaths, last.Seconds, last.CPU = last.starts+c.starts, last.ends+c.ends, last.Deaths+c.Deaths, plus(last.Seconds, c.Seconds), last.CPU+c.CPU
			continue
		}
		out = append(out, c)
	}
	return out
}

// readMinuteCells makes cells of minutes.
func (r *cellReader) readMinuteCells(ctx context.Context, db *DB) error {
	more, values := r.picked("m")
	return each(ctx, db.db, `SELECT h.name, job_id, fleet, sheet_num, cell, starts, ends, deaths, NULL, cpu / 1000.0 FROM (
		SELECT host_id, job_id, fleet, sheet_num, CAST(floor(timestamp / ?) AS INTEGER) AS cell, sum(starts) AS starts, sum(ends) AS ends, sum(deaths) AS deaths,
			total(cpu_ms) + total(exit_cpu_ms) AS cpu FROM step_minutes m WHERE timestamp >= ? AND timestamp < ?`+more+`
		GROUP BY cell, host_id, job_id, fleet, sheet_num) m JOIN hosts h ON h.id = m.host_id WHERE starts + ends > 0`,
		append([]any{r.Cell, math.Floor(r.From/Minute) * Minute, r.To}, values...), r.scanCell)
}
