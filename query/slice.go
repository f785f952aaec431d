package query

import (
	"context"
	"database/sql"
	"errors"
)

// sliceRows is how many rows of a table a statement goes through at most when it looks for few of them: some hundredths of
// a second.
const sliceRows = 50_000

// readSlices reads a page of a listing of which few rows may be picked. It goes through the table slice by slice, each with a
// statement of its own, so that no statement runs for long.
func readSlices[T any](ctx context.Context, db *DB, table string, r Range, read func(Range) ([]T, error)) ([]T, error) {
	page, most := []T{}, r.Limit
	for {
		slice, remaining, err := nextSlice(ctx, db, table, r)
		if err != nil {
			return nil, err
		}
		slice.Limit = most - len(page)
		items, err := read(slice)
		if err != nil {
			return nil, err
		}
		page = append(page, items...)
		if remaining == nil || len(page) >= most {
			return page, nil
		}
		r = *remaining
	}
}

// nextSlice cuts the next slice off a range of a table. Remaining is nil when the slice is all of it.
func nextSlice(ctx context.Context, db *DB, table string, r Range) (slice Range, remaining *Range, err error) {
	r = r.behindCursor()
	query, args := `SELECT t.timestamp FROM `+table+` t WHERE t.timestamp >= ?`, []any{r.Since}
	if r.Until > 0 {
		query, args = query+` AND t.timestamp < ?`, append(args, r.Until)
	}
	if r.downward() {
		query += ` ORDER BY t.timestamp DESC`
	} else {
		query += ` ORDER BY t.timestamp`
	}
	var end float64
	err = db.db.QueryRowContext(ctx, query+` LIMIT 1 OFFSET ?`, append(args, sliceRows)...).Scan(&end)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && !r.downward() && end <= r.Since:
		return r, nil, nil
	case err != nil:
		return r, nil, err
	}
	slice, after := r, r
	if r.downward() {
		slice.Since, after.Until = end, end
	} else {
		slice.Until, after.Since = end, end
	}
	return slice, &after, nil
}
