package query

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Life is one process of the many that may have had a pid, as far as it is recorded.
type Life struct {
	Identity
	Command string   `json:"command"` // the newest that is known
	JobID   *string  `json:"job_id"`
	Fleet   bool     `json:"fleet,omitzero"` // the job is one of the fleet, and not the host's own
	Sheet   *int64   `json:"sheet_num"`
	UID     *int64   `json:"uid"`
	First   float64  `json:"first_time"` // of what is recorded of it, Unix seconds
	Last    float64  `json:"last_time"`
	Born    *float64 `json:"born_time"` // nil when its start is not recorded
}

// Lives returns the processes that an identity names, the one that was seen last first. Of a life that has left full resolution, and
// whose events are gone, the times are those of the hour of its last minute.
func Lives(ctx context.Context, db *DB, of Identity) ([]Life, error) {
	on, args := of.conditions()
	if of.Host != "" {
		on, args = on+` AND p.host_id = (SELECT id FROM hosts WHERE name = ?)`, append(args, of.Host)
	}
	const columns = `SELECT p.host_id, p.boot_id, p.start_ticks, p.command, p.job_id, p.fleet, p.sheet_num, p.uid, `
	query := `SELECT h.name, boot_id, start_ticks, coalesce(command, ''), job_id, fleet, sheet_num, uid, first, last, born FROM (
		` + columns + `p.timestamp AS first, p.timestamp AS last, CASE event_type WHEN 'spawn' THEN p.timestamp END AS born FROM process_events p WHERE ` + on + `
		UNION ALL ` + columns + `coalesce(f.timestamp, p.ended), coalesce(p.ended, (SELECT max(timestamp) FROM snapshots s WHERE s.host_id = p.host_id)), NULL
			FROM processes p LEFT JOIN snapshots f ON f.id = p.first_snapshot WHERE ` + on + `
		UNION ALL ` + columns + `last_hour, last_hour, NULL FROM rollup_processes p WHERE ` + on + `)
		JOIN hosts h ON h.id = host_id ORDER BY last DESC, born IS NULL`
	parts, err := collect(ctx, db, query, slices.Concat(args, args, args), func(r *sql.Rows, l *Life) error {
		l.PID, l.StartTicks = of.PID, new(int64)
		return r.Scan(&l.Host, &l.BootID, l.StartTicks, &l.Command, &l.JobID, &l.Fleet, &l.Sheet, &l.UID, &l.First, &l.Last, &l.Born)
	})
	if err != nil {
		return nil, fmt.Errorf("read the lives of process %d: %w", of.PID, err)
	}
	return joinLives(parts), nil
}

// joinLives makes one life of its parts, of which the newest comes first.
func joinLives(parts []Life) []Life {
	lives := []Life{}
	for _, part := range parts {
		i := slices.IndexFunc(lives, func(l Life) bool {
			return l.Host == part.Host && l.BootID == part.BootID && *l.StartTicks == *part.StartTicks
		})
		if i < 0 {
			lives = append(lives, part)
			continue
		}
		l := &lives[i]
		l.First, l.Last = min(l.First, part.First), max(l.Last, part.Last)
		l.Command = cmp.Or(l.Command, part.Command)
		l.Born, l.UID = cmp.Or(l.Born, part.Born), cmp.Or(l.UID, part.UID)
		if l.JobID == nil {
			l.JobID, l.Fleet, l.Sheet = part.JobID, part.Fleet, part.Sheet
		}
	}
	return lives
}

// Ancestors returns what a process was born of, then what that was born of, and so on to the first process of the machine or to one of
// which nothing is recorded. The identity must be whole, as that of a [Life] is.
func Ancestors(ctx context.Context, db *DB, of Identity) ([]Ancestor, error) {
	b := births{db: db, bootID: of.BootID}
	err := db.db.QueryRowContext(ctx, `SELECT id FROM hosts WHERE name = ?`, of.Host).Scan(&b.hostID)
	line := []Ancestor{}
	pid, start := of.PID, deref(of.StartTicks, 0)
	for err == nil && len(line) < mostAncestors {
		var ppid *int64
		if ppid, err = b.parentOf(ctx, pid, start); err != nil || ppid == nil || *ppid <= 0 {
			break
		}
		var a *Ancestor
		if a, err = b.bearer(ctx, *ppid, start); err != nil {
			break
		}
		line = append(line, *a)
		if a.StartTicks == nil {
			break
		}
		pid, start = a.PID, *a.StartTicks
	}
	if err != nil {
		return nil, fmt.Errorf("read the ancestors of process %d: %w", of.PID, err)
	}
	return line, nil
}

// mostAncestors ends a line that a broken record makes endless.
const mostAncestors = 64
