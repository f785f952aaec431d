package projector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// dated is a table whose rows go by their own time.
type dated struct {
	table   string
	keys    string // columns that name a row
	owner   string // columns with its host, boot id and boot ns
	removed *int64
	do      func(f *fold, key []any) error
}

// deleteBatch is how many rows are looked for at a time.
const deleteBatch = 5000

// noOwner is for tables whose rows have no boot: their wall time alone tells their age.
const noOwner = "0, '', 0"

// expireEvents deletes what has left the policy for events, and what goes with them.
func (r *retention) expireEvents(ctx context.Context) error {
	return r.expireEventsOlder(ctx, r.limits.events)
}

func (r *retention) expireEventsOlder(ctx context.Context, age time.Duration) error {
	for _, d := range []dated{
		{"process_events", "id", "host_id, boot_id, boot_ns", &r.removed.Events,
			deleteBy(`DELETE FROM process_events WHERE id = ?`)},
		{"job_events", "id", "host_id, boot_id, boot_ns", &r.removed.JobEvents,
			deleteBy(`DELETE FROM job_events WHERE id = ?`)},
		{"gaps", "stream, epoch, at_seq, n", noOwner, &r.removed.Gaps,
			deleteBy(`DELETE FROM gaps WHERE stream = ? AND epoch = ? AND at_seq = ? AND n = ?`)},
		{"quarantine", "stream, epoch, seq", noOwner, &r.removed.Quarantined,
			deleteBy(`DELETE FROM quarantine WHERE stream = ? AND epoch = ? AND seq = ?`)},
	} {
		if err := r.expireRows(ctx, d, age); err != nil {
			return fmt.Errorf("table %s: %w", d.table, err)
		}
	}
	return nil
}

// deleteBy is how rows are deleted that one statement deletes.
func deleteBy(query string) func(*fold, []any) error {
	return func(f *fold, key []any) error {
		_, err := f.db.exec(query, key...)
		return err
	}
}

// expireRollups deletes the minutes that have left the policy, and the descriptions that no minute needs.
func (r *retention) expireRollups(ctx context.Context) error {
	return r.expireRollupsOlder(ctx, r.limits.downsampled)
}

func (r *retention) expireRollupsOlder(ctx context.Context, age time.Duration) error {
	if err := r.expireRows(ctx, dated{"rollups", "id", "host_id, boot_id, boot_ns", &r.removed.Minutes, deleteRollup}, age); err != nil {
		return err
	}
	var oldest float64 // of the minutes that stay
	err := each(ctx, r.db, `SELECT coalesce(min(timestamp), 9e99) FROM rollups`, func(rows *sql.Rows) error { return rows.Scan(&oldest) })
	if err != nil {
		return err
	}
	return r.expireIDs(ctx, `SELECT id FROM rollup_processes WHERE last_minute < ? LIMIT ?`, oldest, new(int64), func(f *fold, id int64) error {
		_, err := f.db.exec(`DELETE FROM rollup_processes WHERE id = ? AND last_minute < ?`, id, oldest)
		return err
	})
}

func deleteRollup(f *fold, key []any) error {
	if _, err := f.db.exec(`DELETE FROM process_rollups WHERE rollup_id = ?`, key...); err != nil {
		return err
	}
	_, err := f.db.exec(`DELETE FROM rollups WHERE id = ?`, key...)
	return err
}

// expireRows deletes the rows of a table that are older than age. Rows from ahead of time are looked at too: their age
// is not their wall time.
func (r *retention) expireRows(ctx context.Context, d dated, age time.Duration) error {
	for _, span := range [][2]float64{
		{math.Inf(-1), schema.Timestamp(r.ages.now - int64(age))},
		{schema.Timestamp(r.ages.now + int64(time.Hour)), math.Inf(1)},
	} {
		for from, skip := span[0], 0; ; {
			rows, seen, last, err := r.oldRows(ctx, d, age, from, span[1], skip)
			if err != nil {
				return err
			}
			if err := writeAll(ctx, r, rows, d.removed, d.do); err != nil {
				return err
			}
			if seen < deleteBatch {
				break
			}
			if r.dry {
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

// oldRows finds rows that may go, by their keys, among the next of a span; seen counts those that were looked at, and
// last is the time of the last of them.
func (r *retention) oldRows(ctx context.Context, d dated, age time.Duration, from, until float64, skip int) (keys [][]any, seen int, last float64, err error) {
	query := `SELECT timestamp, ` + d.owner + `, ` + d.keys + ` FROM ` + d.table +
		` WHERE timestamp >= ? AND timestamp < ? ORDER BY timestamp LIMIT ? OFFSET ?`
	err = each(ctx, r.db, query, func(rows *sql.Rows) error {
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
		seen++
		if r.ages.of(host, bootID, boot, int64(last*1e9)) > age {
			keys = append(keys, key)
		}
		return nil
	}, from, until, deleteBatch, skip)
	return keys, seen, last, err
}

// expireIDs deletes what a query finds, which is asked again as long as it finds something. Its last parameter is a limit.
func (r *retention) expireIDs(ctx context.Context, query string, before any, count *int64, do func(*fold, int64) error) error {
	limit := int64(deleteBatch)
	if r.dry {
		limit = math.MaxInt64
	}
	for {
		var ids []int64
		err := each(ctx, r.db, query, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, before, limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := writeAll(ctx, r, ids, count, do); err != nil || r.dry {
			return err
		}
	}
}

// expireAggregates deletes processes and jobs that outlived all that was recorded of them. Processes stay as long as
// rollups, jobs as long as the longest of all.
func (r *retention) expireAggregates(ctx context.Context) error {
	longest := max(r.limits.full, r.limits.downsampled, r.limits.events)
	before := schema.Timestamp(r.ages.now - int64(longest))
	return errors.Join(
		r.closeSilentHosts(ctx),
		r.expireIDs(ctx, `SELECT id FROM processes WHERE ended < ? LIMIT ?`, schema.Timestamp(r.ages.now-int64(max(r.limits.full, r.limits.downsampled))),
			&r.removed.Processes, func(f *fold, id int64) error {
				_, err := f.db.exec(`DELETE FROM processes WHERE id = ?`, id)
				return err
			}),
		r.expireJobs(ctx, before),
		r.expireProducers(ctx, r.ages.now-int64(longest)),
	)
}

// closeSilentHosts ends the processes of hosts that have not been heard of for so long that nothing else of them is left.
func (r *retention) closeSilentHosts(ctx context.Context) error {
	var silent []int64
	err := each(ctx, r.db, `SELECT DISTINCT host_id FROM processes WHERE last_snapshot = 4611686018427387904`, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		if time.Duration(r.ages.now-r.ages.newest[id].wall) > max(r.limits.full, r.limits.downsampled) {
			silent = append(silent, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	return writeAll(ctx, r, silent, new(int64), func(f *fold, id int64) error {
		host, err := f.roster(id)
		if err != nil {
			return err
		}
		var out observed
		host.closeAll(&out)
		f.touched = append(f.touched, out.touched...)
		return f.flushProcesses()
	})
}

func (r *retention) expireJobs(ctx context.Context, before float64) error {
	var jobs []string
	err := each(ctx, r.db, `SELECT job_id FROM jobs WHERE max(coalesce(last_seen, 0), coalesce(last_event, 0)) < ?`, func(rows *sql.Rows) error {
		var job string
		err := rows.Scan(&job)
		jobs = append(jobs, job)
		return err
	}, before)
	if err != nil {
		return err
	}
	return writeAll(ctx, r, jobs, &r.removed.Jobs, func(f *fold, job string) error {
		for _, table := range []string{"job_pids", "job_sheets", "job_syscalls", "jobs"} {
			if _, err := f.db.exec(`DELETE FROM `+table+` WHERE job_id = ?`, job); err != nil {
				return err
			}
		}
		return nil
	})
}

// expireProducers deletes the books of producers of which no kind has come for so long.
func (r *retention) expireProducers(ctx context.Context, before int64) error {
	type producer struct {
		hostID   int64
		instance string
	}
	var gone []producer
	err := each(ctx, r.db, `SELECT host_id, instance FROM producers GROUP BY host_id, instance HAVING max(last_ns) < ?`,
		func(rows *sql.Rows) error {
			var p producer
			err := rows.Scan(&p.hostID, &p.instance)
			gone = append(gone, p)
			return err
		}, before)
	if err != nil {
		return err
	}
	return writeAll(ctx, r, gone, new(int64), func(f *fold, p producer) error {
		for key := range f.ledgers {
			if key.hostID == p.hostID && key.instance == p.instance {
				delete(f.ledgers, key)
			}
		}
		_, err := f.db.exec(`DELETE FROM producers WHERE host_id = ? AND instance = ?`, p.hostID, p.instance)
		return err
	})
}
