package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Orphan is a process that goes on though what it was started for has ended: the process that bore it, or its job.
type Orphan struct {
	Host    string   `json:"host"`
	Session string   `json:"session"` // its job, or else the oldest process that is known to have borne it
	Process Process  `json:"process"`
	BornOf  Ancestor `json:"born_of"`
	// Ended is when the parent or the job ended, Unix seconds; nil when that is not recorded.
	Ended    *float64 `json:"ended"`
	Why      string   `json:"why"`               // parent or job: which of them ended
	CPUSince *float64 `json:"cpu_seconds_since"` // that it has used since; nil when that cannot be told
}

// OrphansAt returns the processes at a time, in Unix seconds, whose parent at birth or whose job has ended; those of one session stand
// together, the one with the most memory first. A process that the first process of the machine bore is none: services are
// started like that.
func OrphansAt(ctx context.Context, db *DB, at float64, f Filter) ([]Orphan, error) {
	if none, err := noneLeft(ctx, db, at, f); err != nil || none {
		return []Orphan{}, err
	}
	trees, err := TreeAt(ctx, db, at, Filter{Range: Range{Host: f.Host}})
	if err != nil {
		return nil, err
	}
	orphans := []Orphan{}
	for i := range trees {
		found, err := orphansOf(ctx, db, &trees[i], f)
		if err != nil {
			return nil, fmt.Errorf("read the orphans: %w", err)
		}
		orphans = append(orphans, found...)
	}
	held := map[[2]string]float64{}
	for _, o := range orphans {
		held[[2]string{o.Host, o.Session}] += o.Process.RSS
	}
	slices.SortFunc(orphans, func(a, b Orphan) int {
		return cmp.Or(cmp.Compare(held[[2]string{b.Host, b.Session}], held[[2]string{a.Host, a.Session}]), cmp.Compare(a.Host, b.Host),
			cmp.Compare(a.Session, b.Session), cmp.Compare(b.Process.RSS, a.Process.RSS), cmp.Compare(a.Process.PID, b.Process.PID))
	})
	return orphans, nil
}

// noneLeft reports whether the newest snapshot of the filter's host is what there is of the time, and has no process of the filter's job, which spares reading it.
func noneLeft(ctx context.Context, db *DB, at float64, f Filter) (none bool, err error) {
	if f.Job == "" || f.Host == "" {
		return false, nil
	}
	err = db.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM hosts h JOIN rosters r ON r.host_id = h.id JOIN snapshots s ON s.id = r.last_snapshot
			WHERE h.name = ?1 AND s.wall_ns = r.wall_ns AND s.timestamp <= ?2)
		AND NOT EXISTS (SELECT 1 FROM processes p JOIN hosts h ON h.id = p.host_id WHERE p.job_id = ?3 AND h.name = ?1 AND p.last_snapshot = ?4)`,
		f.Host, at, f.Job, schema.OpenEnded).Scan(&none)
	if err != nil {
		return false, fmt.Errorf("read whether job %q left processes: %w", f.Job, err)
	}
	return none, nil
}

// orphansOf walks the tree of a host.
func orphansOf(ctx context.Context, db *DB, t *Tree, f Filter) ([]Orphan, error) {
	boot, err := bootOf(ctx, db, &t.Snapshot)
	if err != nil {
		return nil, err
	}
	jobs := jobEnds{db: db, hostID: t.hostID, at: t.Timestamp, ended: map[string]*float64{}}
	var found []Orphan
	var walk func(n, parent *Node, oldest string) error
	walk = func(n, parent *Node, oldest string) error {
		if oldest == "" && n.PID > 1 {
			oldest = fmt.Sprintf("%d %s", n.PID, Program(n.Command))
		}
		o, err := jobs.orphan(ctx, n, parent, Identity{Host: t.Host, BootID: boot, PID: n.PID, StartTicks: &n.StartTicks})
		if err != nil {
			return err
		}
		if o != nil && f.picks(&n.Process) {
			o.Host, o.Session = t.Host, deref(n.JobID, oldest)
			found = append(found, *o)
		}
		for _, c := range n.Children {
			if err := walk(c, n, oldest); err != nil {
				return err
			}
		}
		return nil
	}
	for _, n := range t.Roots {
		if err := walk(n, nil, ""); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// jobEnds says which jobs had ended by a time, and when.
type jobEnds struct {
	db     *DB
	hostID int64
	at     float64
	ended  map[string]*float64
}

// orphan is what a node is an orphan of; nil when it is none. Below an orphan of an ended parent, what it bore is no orphan itself, but
// for an ended job.
func (j *jobEnds) orphan(ctx context.Context, n, parent *Node, of Identity) (*Orphan, error) {
	if n.Ended || n.State == "Z" { // a zombie waits for its parent, and does nothing
		return nil, nil
	}
	o := &Orphan{Process: n.Process, BornOf: Ancestor{PID: deref(n.BornOf, n.PPID)}}
	if parent != nil {
		o.BornOf.Command, o.BornOf.JobID = parent.Command, parent.JobID
		if parent.StartTicks > 0 {
			o.BornOf.StartTicks = &parent.StartTicks
		}
	}
	jobEnd, err := j.end(ctx, n.JobID, n.Fleet)
	if err != nil {
		return nil, err
	}
	switch {
	case parent != nil && parent.Ended && parent.PID > 1:
		o.Why = "parent"
		if parent.StartTicks > 0 {
			end, err := endOf(ctx, j.db, Identity{Host: of.Host, BootID: of.BootID, PID: parent.PID, StartTicks: &parent.StartTicks})
			if err != nil {
				return nil, err
			}
			if end != nil {
				o.Ended = &end.Timestamp
			}
		}
	case jobEnd != nil:
		o.Why, o.Ended = "job", jobEnd
	default:
		return nil, nil
	}
	if o.Ended == nil {
		return o, nil
	}
	before, err := HistoryOf(ctx, j.db, of, Range{Until: *o.Ended, Newest: true, Limit: 1})
	if err == nil && len(before) == 1 {
		since := max(0, n.CPUSeconds-before[0].CPUSeconds)
		o.CPUSince = &since
	} else if err == nil && j.at-n.Age >= *o.Ended {
		o.CPUSince = &n.CPUSeconds
	}
	return o, err
}

// end is when a job of the host, or of the fleet, ended; nil when it has not by that time, or when it is none.
func (j *jobEnds) end(ctx context.Context, job *string, fleet bool) (*float64, error) {
	if job == nil {
		return nil, nil
	}
	key := fmt.Sprint(fleet, *job)
	if end, known := j.ended[key]; known {
		return end, nil
	}
	var end *float64
	err := j.db.db.QueryRowContext(ctx, `WITH said AS (SELECT timestamp, type FROM job_events
			WHERE job_id = ?1 AND timestamp <= ?2 AND fleet = ?3 AND (?3 OR host_id = ?4))
		SELECT max(timestamp) FROM said WHERE type = 'ended' AND timestamp >= coalesce((SELECT max(timestamp) FROM said WHERE type = 'declared'), 0)`,
		*job, j.at, fleet, j.hostID).Scan(&end)
	j.ended[key] = end
	return end, err
}
