package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// HostDiff is what is other on a host at a time than at one before.
type HostDiff struct {
	Host    string   `json:"host"`
	From    float64  `json:"from_time"` // of the snapshots that are compared, Unix seconds
	To      float64  `json:"to_time"`
	Changes []Change `json:"changes"` // what changed most first, by memory and then by CPU
	// Passed counts the processes that both started and ended in between and are in neither snapshot; nil when starts are not recorded.
	Passed int64 `json:"passed"`
}

// Change is what became of one process between two times.
type Change struct {
	Kind   string   `json:"kind"` // started, ended, changed (another command, job or parent), or stayed
	Before *Process `json:"before"`
	After  *Process `json:"after"`
	RSS    float64  `json:"rss_mb"`      // how much more memory it has, MiB
	CPU    float64  `json:"cpu_seconds"` // how much it used in between, as far as it was seen
	End    *Event   `json:"end"`         // of one that ended: its exit; nil when that is not recorded
}

// Diff compares the processes of two times, host by host. A host that has no snapshot for one of them is left out.
func Diff(ctx context.Context, db *DB, from, to float64, f Filter) ([]HostDiff, error) {
	before, err := ProcessesAt(ctx, db, from, f)
	if err != nil {
		return nil, err
	}
	after, err := ProcessesAt(ctx, db, to, f)
	if err != nil {
		return nil, err
	}
	diffs := []HostDiff{}
	for i := range before {
		j := slices.IndexFunc(after, func(m HostAt) bool { return m.Host == before[i].Host })
		if j < 0 {
			continue
		}
		d, err := compareMoments(ctx, db, &before[i], &after[j], f)
		if err != nil {
			return nil, fmt.Errorf("compare two times: %w", err)
		}
		diffs = append(diffs, d)
	}
	return diffs, nil
}

func compareMoments(ctx context.Context, db *DB, before, after *HostAt, f Filter) (HostDiff, error) {
	d := HostDiff{Host: before.Host, From: before.Timestamp, To: after.Timestamp, Changes: []Change{}}
	bootBefore, err := bootOf(ctx, db, &before.Snapshot)
	if err != nil {
		return d, err
	}
	bootAfter, err := bootOf(ctx, db, &after.Snapshot)
	if err != nil {
		return d, err
	}
	type life struct{ pid, start int64 }
	left := map[life]*Process{}
	for i := range before.Processes {
		p := &before.Processes[i]
		left[life{p.PID, p.StartTicks}] = p
	}
	for i := range after.Processes {
		p := &after.Processes[i]
		was := left[life{p.PID, p.StartTicks}]
		if was == nil || bootBefore != bootAfter {
			d.Changes = append(d.Changes, Change{Kind: "started", After: p, RSS: p.RSS, CPU: p.CPUSeconds})
			continue
		}
		delete(left, life{p.PID, p.StartTicks})
		kind := "stayed"
		if was.Command != p.Command || was.PPID != p.PPID || !equal(was.JobID, p.JobID) || !equal(was.Sheet, p.Sheet) || !equal(was.UID, p.UID) {
			kind = "changed"
		}
		d.Changes = append(d.Changes, Change{Kind: kind, Before: was, After: p, RSS: p.RSS - was.RSS, CPU: max(0, p.CPUSeconds-was.CPUSeconds)})
	}
	for _, p := range left {
		c := Change{Kind: "ended", Before: p, RSS: -p.RSS}
		if c.End, err = endOf(ctx, db, Identity{Host: before.Host, BootID: bootBefore, PID: p.PID, StartTicks: &p.StartTicks}); err != nil {
			return d, err
		}
		if c.End != nil && c.End.CPUSeconds != nil {
			c.CPU = max(0, *c.End.CPUSeconds-p.CPUSeconds)
		}
		d.Changes = append(d.Changes, c)
	}
	slices.SortFunc(d.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(abs(b.RSS), abs(a.RSS)), cmp.Compare(b.CPU, a.CPU), cmp.Compare(a.process().PID, b.process().PID))
	})
	d.Passed, err = passed(ctx, db, d, f)
	return d, err
}

// process is the process that a change is of, as it was last.
func (c *Change) process() *Process {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// Process is the process that the change is of, as it was last.
func (c Change) Process() *Process { return c.process() }

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func abs(v float64) float64 { return max(v, -v) }

// endOf is the exit of a process; nil when none is recorded.
func endOf(ctx context.Context, db *DB, of Identity) (*Event, error) {
	events, err := readEventRows(ctx, db, Filter{Range: Range{Host: of.Host}, PID: of.PID, Types: []string{"exit"}})
	for i := range events {
		if events[i].StartTicks == *of.StartTicks {
			return &events[i], err
		}
	}
	return nil, err
}

// passed counts the processes that lived in between alone.
func passed(ctx context.Context, db *DB, d HostDiff, f Filter) (n int64, err error) {
	f.Range = Range{Since: d.From, Until: d.To, Host: d.Host}
	f.Types = []string{"exit"}
	on, args := f.conditions(true)
	from := `SELECT count(*) FROM process_events t JOIN hosts h ON h.id = t.host_id` + on + ` WHERE t.timestamp > ? AND t.timestamp <= ?
		AND h.name = ? AND t.lifetime_ms / 1000.0 < t.timestamp - ?`
	err = db.db.QueryRowContext(ctx, from, append(args, d.From, d.To, d.Host, d.From)...).Scan(&n)
	return n, err
}
