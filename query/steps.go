package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// JobSteps returns the numbers of the steps (sheets) that are in the recording under a job's name, of any of its runs, in their order.
func JobSteps(ctx context.Context, db *DB, f JobFilter) ([]int64, error) {
	where, args := f.rows()
	steps, err := collect(ctx, db, `SELECT sheet_num FROM job_sheets`+where+` UNION SELECT sheet_num FROM run_steps`+where+
		` UNION SELECT json_extract(s.value, '$.sheet_num') FROM run_records, json_each(run_records.steps) s`+where+` ORDER BY 1`,
		slices.Concat(args, args, args), func(r *sql.Rows, n *int64) error { return r.Scan(n) })
	if err != nil {
		return nil, fmt.Errorf("read the steps of job %q: %w", f.Name, err)
	}
	return steps, nil
}
