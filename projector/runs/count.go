package runs

import (
	"context"
	"database/sql"

	"github.com/proctape/proctape/schema"
)

// tables are the tables of a database, as the keeper reads them.
type tables struct {
	db     *sql.DB
	newest int64 // id of the newest job event that was looked at
}

// count fills what nobody told of a run that has ended by what the ends of its processes tell, and says whether that is all of it. Where two
// runs of one job went on at once, nobody can tell whose a process was.
func (t *tables) count(ctx context.Context, run *state) error {
	r := run.now
	from, to := schema.Timestamp(r.Started), schema.Timestamp(r.Ended.V)
	var others int64
	err := t.db.QueryRowContext(ctx, `SELECT count(*) FROM runs WHERE job_id = ? AND fleet = ? AND host_id = ? AND run_id != ? AND started <= ?
		AND (ended IS NULL OR ended >= ?)`, append(run.values(), to, from)...).Scan(&others)
	if err != nil || others > 0 {
		return err
	}
	var sum schema.Totals
	var exits, spawns int64
	err = t.db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE event_type = 'exit'), count(*) FILTER (WHERE event_type = 'spawn'), sum(cpu_ms) * 1000,
		CASE WHEN count(system_cpu_ms) = count(cpu_ms) THEN sum(system_cpu_ms) * 1000 END, max(peak_rss_kib),
		sum(read_kib), sum(write_kib) FROM process_events WHERE job_id = ? AND fleet = ? AND (fleet OR host_id = ?) AND event_type IN ('exit', 'spawn')
		AND timestamp BETWEEN ? AND ?`, run.job, run.fleet, run.hostID, from, to).
		Scan(&exits, &spawns, opt{&sum.CPUMicros}, opt{&sum.System}, opt{&sum.PeakRSS}, opt{&sum.ReadKiB}, opt{&sum.WriteKiB})
	if err != nil || exits+spawns == 0 {
		return err
	}
	sum.Processes = schema.Some(max(exits, spawns))
	sum.CPUSource, sum.PeakSource, sum.IOSource = sourceOf(sum.CPUMicros), sourceOf(sum.PeakRSS), sourceOf(sum.ReadKiB)
	r.Totals = mergeTotals(r.Totals, &sum)
	r.LowerBound, err = t.lacks(ctx, run, from, to)
	return err
}

func sourceOf(v schema.Opt[int64]) schema.TotalSource {
	if v.Known {
		return schema.FromExits
	}
	return schema.FromNowhere
}

// lacks reports whether ends of processes may be missing in a time of a run.
func (t *tables) lacks(ctx context.Context, run *state, from, to float64) (bool, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT kind, count FROM gaps WHERE (? OR host_id = ?) AND timestamp >= ?
		AND coalesce(from_time, to_time, timestamp) <= ? AND coalesce(to_time, from_time, timestamp) >= ?`, run.fleet, run.hostID, from, to, from)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	lacks := false
	for rows.Next() {
		var kind schema.GapKind
		var count sql.NullInt64
		if err := rows.Scan(&kind, &count); err != nil {
			return false, err
		}
		info, ok := kind.Info()
		harmless := ok && (info.Hides == schema.HidesNothing || info.Hides == schema.HidesSnapshots)
		lacks = lacks || !harmless && !(ok && info.Loss == schema.LossPossible && count.Valid && count.Int64 == 0)
	}
	return lacks, rows.Err()
}
