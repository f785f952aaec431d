package query

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Member is a process that belongs to a run by descent.
type Member struct{ PID, StartTicks int64 }

// mostMembers is how many processes of a run are told apart from those of others at most.
const mostMembers = 200_000

// RunMembers returns the processes of a run that started within a time, Unix seconds: the process that its declaration names and what descends from it, by
// the parents at birth. Runs of one job that go on at the same time have the same name on their processes, so nothing else tells
// them apart. known is false when the declaration names no process, or when there are too many of them.
func RunMembers(ctx context.Context, db *DB, r *Run, from, to float64) (members []Member, known bool, err error) {
	var pid, start sql.Null[int64]
	var boot sql.Null[string]
	var host int64
	where := ` FROM runs t WHERE t.job_id = ? AND t.fleet = ? AND t.run_id = ?`
	err = each(ctx, db.db, `SELECT t.pid, t.start_ticks, t.boot_id, t.host_id`+where, []any{r.JobID, r.Fleet, r.ID}, func(rows *sql.Rows) error {
		return rows.Scan(&pid, &start, &boot, &host)
	})
	if err != nil || !pid.Valid || !boot.Valid {
		return nil, false, err
	}
	alive := map[int64]bool{pid.V: true}
	members = []Member{{pid.V, start.V}}
	err = each(ctx, db.db, `SELECT pid, start_ticks, coalesce(ppid, 0) FROM process_events t WHERE t.job_id = ?1 AND t.event_type = 'spawn' AND t.host_id = ?2 AND t.boot_id = ?3
		AND t.timestamp BETWEEN ?4 AND ?5 ORDER BY t.timestamp, t.start_ticks, t.id`, []any{r.JobID, host, boot.V, from - 1, to}, func(rows *sql.Rows) error {
		var m Member
		var parent int64
		if err := rows.Scan(&m.PID, &m.StartTicks, &parent); err != nil {
			return err
		}
		if alive[m.PID] = alive[parent]; alive[m.PID] {
			members = append(members, m)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read which processes are of run %s: %w", r.ID, err)
	}
	return members, len(members) <= mostMembers, nil
}

// among is a condition for rows of processes in the alias t: that they are members. Without members it is empty.
func among(members []Member) string {
	if members == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(` AND (t.pid || '.' || t.start_ticks) IN (SELECT value FROM json_each('[`)
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%d.%d"`, m.PID, m.StartTicks)
	}
	b.WriteString(`]'))`)
	return b.String()
}
