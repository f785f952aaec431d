package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// expirer deletes the rows that have left the policy.
type expirer struct{ *pass }

// dated is a table whose rows go by their own time.
type dated struct {
	table   string
	time    string // column; Unix time
	keys    string // columns that name a row
	owner   string // columns with its host, boot id and boot ns
	removed *int64
	delete  func(tx *store.Tx, key []any) error
}

// deleteBatch is how many rows are looked for at a time.
const deleteBatch = 5000

// noOwner is for tables whose rows have no boot: their wall time alone tells their age.
const noOwner = "0, '', 0"

// expireEvents deletes what has left the policy for events, and what goes with them.
func (e *expirer) expireEvents(ctx context.Context) error {
	return e.expireEventsOlder(ctx, e.limits.events)
}

func (e *expirer) expireEventsOlder(ctx context.Context, age time.Duration) error {
	var failed []error
	for _, d := range []dated{
		{"process_events", "timestamp", "id", "host_id, boot_id, boot_ns", &e.removed.Events,
			deleteBy(`DELETE FROM process_events WHERE id = ?`)},
		{"process_execs", "timestamp", "id", "host_id, boot_id, boot_ns", &e.removed.Execs,
			deleteBy(`DELETE FROM process_execs WHERE id = ?`)},
		{"job_events", "timestamp", "id", "host_id, boot_id, boot_ns", &e.removed.JobEvents,
			deleteBy(`DELETE FROM job_events WHERE id = ?`)},
		{"anomalies", "last_seen", "episode_id", noOwner, &e.removed.Anomalies, deleteBy(`DELETE FROM anomalies WHERE episode_id = ?`)},
		{"gaps", "timestamp", "stream, epoch, at_seq, n", noOwner, &e.removed.Gaps,
			deleteBy(`DELETE FROM gaps WHERE stream = ? AND epoch = ? AND at_seq = ? AND n = ?`)},
		{"quarantine", "timestamp", "stream, epoch, seq", noOwner, &e.removed.Quarantined,
			deleteBy(`DELETE FROM quarantine WHERE stream = ? AND epoch = ? AND seq = ?`)},
		{"step_minutes", "timestamp", "timestamp, host_id, job_id, fleet, sheet_num", noOwner, &e.removed.Minutes,
			deleteBy(`DELETE FROM step_minutes WHERE timestamp = ? AND host_id = ? AND job_id = ? AND fleet = ? AND sheet_num = ?`)},
		{"program_minutes", "timestamp", "timestamp, host_id, job_id, fleet, sheet_num, program", noOwner, &e.removed.Minutes,
			deleteBy(`DELETE FROM program_minutes WHERE timestamp = ? AND host_id = ? AND job_id = ? AND fleet = ? AND sheet_num = ? AND program = ?`)},
	} {
		if err := e.expireRows(ctx, d, age); err != nil {
			failed = append(failed, fmt.Errorf("table %s: %w", d.table, err))
		}
	}
	return errors.Join(failed...)
}

// deleteBy is how rows are deleted that one statement deletes.
func deleteBy(query string) func(*store.Tx, []any) error {
	return func(tx *store.Tx, key []any) error {
		_, err := tx.Exec(query, key...)
		return err
	}
}

// expireRollups deletes the minutes that have left the policy.
func (e *expirer) expireRollups(ctx context.Context) error {
	return e.expireRollupsOlder(ctx, e.limits.downsampled)
}

func (e *expirer) expireRollupsOlder(ctx context.Context, age time.Duration) error {
	return errors.Join(
		e.expireRows(ctx, dated{"rollups", "timestamp", "id", "host_id, boot_id, boot_ns", &e.removed.RollupsDeleted, deleteRollup}, age),
		e.expireRows(ctx, dated{"host_minutes", "timestamp", "timestamp, host_id", noOwner, &e.removed.Minutes,
			deleteBy(`DELETE FROM host_minutes WHERE timestamp = ? AND host_id = ?`)}, age))
}

// deleteRollup deletes a minute, and the descriptions that no other minute needs.
func deleteRollup(tx *store.Tx, key []any) error { return tx.DeleteRollup(key[0].(int64)) }

// expireRows deletes the rows of a table that are older than age. Rows from ahead of time are looked at too: their age
// is not their wall time.
func (e *expirer) expireRows(ctx context.Context, d dated, age time.Duration) error {
	for _, span := range [][2]float64{
		{math.Inf(-1), schema.Timestamp(e.ages.now - int64(age))},
		{schema.Timestamp(e.ages.now + int64(time.Hour)), math.Inf(1)},
	} {
		for from, skip := span[0], 0; ; {
			rows, seen, last, err := e.oldRows(ctx, d, age, from, span[1], skip)
			if err != nil {
				return err
			}
			if err := writeAll(ctx, e.writer, rows, d.removed, d.notedDelete()); err != nil {
				return err
			}
			if seen < deleteBatch {
				break
			}
			if e.writer.dry {
				skip += seen
			} else if last == from { // more rows of one time than a batch holds
				skip += seen - len(rows)
			} else {
				from, skip = last, 0
			}
		}
	}
	return nil
}

// notedDelete deletes rows, and has the database say with the first of them that rows of its table were deleted: who compares it with
// the log has to know, also when the pass is killed before it is written down.
func (d dated) notedDelete() func(*store.Tx, []any) error {
	noted := false
	return func(tx *store.Tx, key []any) error {
		if !noted {
			if _, err := tx.Exec(`INSERT OR IGNORE INTO meta(key, value) VALUES (?, '1')`, schema.ExpiredKey+d.table); err != nil {
				return err
			}
			noted = true
		}
		return d.delete(tx, key)
	}
}

// oldRows finds rows that may go, by their keys, among the next of a span; seen counts those that were looked at, and
// last is the time of the last of them.
func (e *expirer) oldRows(ctx context.Context, d dated, age time.Duration, from, until float64, skip int) (keys [][]any, seen int, last float64, err error) {
	query := fmt.Sprintf(`SELECT %[1]s, %[2]s, %[3]s FROM %[4]s WHERE %[1]s >= ? AND %[1]s < ? ORDER BY %[1]s LIMIT ? OFFSET ?`,
		d.time, d.owner, d.keys, d.table)
	err = e.eachReadable(ctx, d.table, query, func(rows *sql.Rows) error {
		seen++
		var host, boot int64
		var bootID string
		key := make([]any, 1+strings.Count(d.keys, ","))
		into := []any{&last, &host, &bootID, &boot}
		for i := range key {
			into = append(into, &key[i])
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if e.ages.of(host, bootID, boot, int64(last*1e9)) > age {
			keys = append(keys, key)
		}
		return nil
	}, from, until, deleteBatch, skip)
	return keys, seen, last, err
}

// expireAggregates deletes processes and jobs that outlived all that was recorded of them. Processes stay as long as
// rollups, jobs as long as the longest of all.
func (e *expirer) expireAggregates(ctx context.Context) error {
	longest := max(e.limits.full, e.limits.downsampled, e.limits.events)
	return errors.Join(
		e.closeSilentHosts(ctx),
		e.expireRows(ctx, dated{"processes", "ended", "id", "host_id, boot_id, ended_boot_ns", &e.removed.Processes,
			deleteBy(`DELETE FROM processes WHERE id = ?`)}, max(e.limits.full, e.limits.downsampled)),
		e.expireJobs(ctx, longest),
		e.expireRows(ctx, dated{"runs", "last_event", "job_id, fleet, host_id, run_id", noOwner, &e.removed.Runs, deleteRun}, e.limits.runs),
		e.expireRows(ctx, dated{"run_records", "timestamp", "job_id, fleet, host_id, run_id", noOwner, new(int64),
			deleteBy(`DELETE FROM run_records WHERE job_id = ? AND fleet = ? AND host_id = ? AND run_id = ?`)}, e.limits.runs),
		e.expireRows(ctx, dated{"host_hours", "timestamp", "timestamp, host_id", noOwner, &e.removed.Minutes,
			deleteBy(`DELETE FROM host_hours WHERE timestamp = ? AND host_id = ?`)}, max(longest, e.limits.runs)),
		e.expireProducers(ctx, longest),
	)
}

// deleteRun deletes a run and its steps.
func deleteRun(tx *store.Tx, key []any) error {
	const of = ` WHERE job_id = ? AND fleet = ? AND host_id = ? AND run_id = ?`
	if _, err := tx.Exec(`DELETE FROM run_steps`+of, key...); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM runs`+of, key...)
	return err
}

// closeSilentHosts ends the processes of hosts that have not been heard of for so long that nothing else of them is left.
func (e *expirer) closeSilentHosts(ctx context.Context) error {
	var silent []int64
	err := schema.EachRow(ctx, e.read, `SELECT host_id, count(*) FROM processes WHERE last_snapshot = 4611686018427387904 GROUP BY host_id`, func(rows *sql.Rows) error {
		var id, open int64
		err := rows.Scan(&id, &open)
		if time.Duration(e.ages.now-e.ages.newest[id].Wall) > max(e.limits.full, e.limits.downsampled) {
			silent = append(silent, id)
			if e.writer.dry {
				e.removed.Processes += open // what they ended with is as old as they are
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.writer.dry {
		return nil
	}
	for _, id := range silent {
		if err := e.writer.closeHost(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// job is a job as it is kept: a host's own one, or one of the fleet with all rows that there are of it.
type job struct {
	id    string
	fleet bool
	host  int64 // 0 for one of the fleet
	last  float64
}

// rows are the conditions of a job's rows, with the arguments of its key.
const jobRows = ` job_id = ?1 AND fleet = ?2 AND (?2 OR host_id = ?3)`

func (j *job) key() []any { return []any{j.id, j.fleet, j.host} }

// expireJobs deletes jobs that nothing has been recorded of for so long. A job of the fleet stays as long as any host, or its
// conductor, tells of it; a host's own one goes whatever other hosts call theirs.
func (e *expirer) expireJobs(ctx context.Context, age time.Duration) error {
	var old, gone []job
	err := e.eachReadable(ctx, "jobs", `SELECT job_id, fleet, CASE WHEN fleet THEN 0 ELSE host_id END AS host,
		max(max(coalesce(last_seen, 0), coalesce(last_event, 0))) AS last
		FROM jobs GROUP BY 1, 2, 3 HAVING last < ?`,
		func(rows *sql.Rows) error {
			var j job
			if err := rows.Scan(&j.id, &j.fleet, &j.host, &j.last); err != nil {
				return err
			}
			old = append(old, j)
			return nil
		}, schema.Timestamp(e.ages.now-int64(age)))
	if err != nil {
		return err
	}
	for _, j := range old {
		recent, err := e.recent(ctx, j, age)
		if err != nil {
			return err
		}
		if !recent {
			gone = append(gone, j)
		}
	}
	return writeAll(ctx, e.writer, gone, &e.removed.Jobs, func(tx *store.Tx, j job) error {
		return deleteUnless(tx, `DELETE FROM jobs WHERE`+jobRows+` AND ?4 = (SELECT max(max(coalesce(last_seen, 0), coalesce(last_event, 0)))
			FROM jobs WHERE`+jobRows+`)`, append(j.key(), j.last), func() error {
			for _, stmt := range []string{`DELETE FROM job_pids WHERE`, `DELETE FROM job_sheets WHERE`, `DELETE FROM job_syscalls WHERE`} {
				if _, err := tx.Exec(stmt+jobRows, j.key()...); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// recent reports whether something of a job is younger than age after all: a job knows only the wall clocks of its hosts.
func (e *expirer) recent(ctx context.Context, j job, age time.Duration) (recent bool, err error) {
	err = e.eachReadable(ctx, "processes, events, execs or job events", `SELECT host_id, boot_id, ended_boot_ns, ended FROM processes WHERE`+jobRows+`
		UNION ALL SELECT host_id, boot_id, boot_ns, timestamp FROM process_events WHERE`+jobRows+`
		UNION ALL SELECT host_id, boot_id, boot_ns, timestamp FROM process_execs WHERE`+jobRows+`
		UNION ALL SELECT host_id, boot_id, boot_ns, timestamp FROM job_events WHERE`+jobRows, func(rows *sql.Rows) error {
		var host int64
		var bootID string
		var boot sql.NullInt64
		var wall sql.NullFloat64
		err := rows.Scan(&host, &bootID, &boot, &wall)
		recent = recent || err != nil || !wall.Valid || e.ages.of(host, bootID, boot.Int64, int64(wall.Float64*1e9)) <= age
		return err
	}, j.key()...)
	return recent, err
}

// deleteUnless deletes a row, and what belongs to it unless the row is no longer what it was when it was looked at.
func deleteUnless(tx *store.Tx, query string, args []any, then func() error) error {
	res, err := tx.Exec(query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return then()
}

// expireProducers deletes the books of producers of which no kind has come for so long.
func (e *expirer) expireProducers(ctx context.Context, age time.Duration) error {
	type producer struct {
		hostID         int64
		instance, boot string
		wall, ns       int64 // of the newest message
	}
	var gone []producer
	err := e.eachReadable(ctx, "producers", `SELECT host_id, instance, boot_id, last_ns, max(last_boot_ns) FROM producers GROUP BY host_id, instance`,
		func(rows *sql.Rows) error {
			var p producer
			if err := rows.Scan(&p.hostID, &p.instance, &p.boot, &p.wall, &p.ns); err != nil {
				return err
			}
			if e.ages.of(p.hostID, p.boot, p.ns, p.wall) > age {
				gone = append(gone, p)
			}
			return nil
		})
	if err != nil {
		return err
	}
	if e.writer.dry {
		return nil
	}
	for _, p := range gone {
		if err := e.writer.forgetProducer(ctx, p.hostID, p.instance, p.ns); err != nil {
			return err
		}
	}
	return nil
}
