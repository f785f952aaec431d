package query

import (
	"context"
	"database/sql"
	"math"

	"github.com/proctape/proctape/schema"
)

// runReader reads the runs of lanes.
type runReader struct{ *laneReader }

// readRuns reads the runs of the range. All runs are read, as a run's row is that of all time.
func (r *runReader) readRuns(ctx context.Context, db *DB) error {
	type job struct {
		name, host string
		fleet      bool
	}
	taken := map[job][]float64{}
	runs, err := collect(ctx, db, `SELECT job_id, coalesce(nullif(h.name, '`+schema.Fleet+`'), ''), fleet, run_id, number, started, ended, exit_code, signal_num, status FROM (
		SELECT t.host_id, t.job_id, t.fleet, t.run_id, number, t.started, coalesce(t.ended, l.ended) AS ended, coalesce(t.exit_code, l.exit_code) AS exit_code,
			coalesce(t.signal_num, l.signal_num) AS signal_num, coalesce(t.status, l.status) AS status
			FROM run_records t LEFT JOIN runs l USING (job_id, fleet, host_id, run_id)
		UNION ALL SELECT host_id, job_id, fleet, run_id, NULL, started, ended, exit_code, signal_num, status FROM runs t
			WHERE (job_id, fleet, host_id, run_id) NOT IN (SELECT job_id, fleet, host_id, run_id FROM run_records)
		) JOIN hosts h ON h.id = host_id ORDER BY started, run_id`, nil, func(rows *sql.Rows, b *RunBar) error {
		return rows.Scan(&b.JobID, &b.Host, &b.Fleet, &b.ID, &b.Number, &b.Started, &b.Ended, &b.ExitCode, &b.Signal, &b.Status)
	})
	if err != nil {
		return err
	}
	for _, b := range runs {
		k, end := job{b.JobID, b.Host, b.Fleet}, deref(b.Ended, math.Inf(1))
		for b.Row < len(taken[k]) && taken[k][b.Row] > b.Started {
			b.Row++
		}
		if b.Row == len(taken[k]) {
			taken[k] = append(taken[k], end)
		}
		taken[k][b.Row] = end
		f := r.filter
		if b.Started < f.Until && end >= f.Since && (f.Job == "" || f.Job == b.JobID) && (f.Host == "" || b.Host == "" || f.Host == b.Host) {
			b.Steps = []RunStep{}
			r.Runs = append(r.Runs, b)
		}
	}
	return r.readSteps(ctx, db)
}

// readSteps reads the steps of the runs, unless those are very many.
func (r *runReader) readSteps(ctx context.Context, db *DB) error {
	if len(r.Runs) > mostStepsRuns {
		return nil
	}
	for i := range r.Runs {
		b := &r.Runs[i]
		run := Run{JobID: b.JobID, Fleet: b.Fleet, ID: b.ID}
		err := each(ctx, db.db, `SELECT steps FROM run_records WHERE job_id = ? AND fleet = ? AND run_id = ? AND ended IS NOT NULL`, []any{b.JobID, b.Fleet, b.ID},
			func(rows *sql.Rows) error { return rows.Scan(&run.recordedSteps) })
		if err == nil {
			err = addRunSteps(ctx, db, &run)
		}
		if err != nil {
			return err
		}
		b.Steps = append(b.Steps, run.Steps...)
	}
	return nil
}
