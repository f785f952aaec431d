package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TopQuery asks who used most.
type TopQuery struct {
	Filter        // the range, and which processes; its Limit is how many lines
	By     string // one of [TopBy]
	Sort   string // one of [TopMetrics]
}

// TopBy are what a line of a top can be about, and TopMetrics by what it can be sorted.
var (
	TopBy      = []string{"process", "command", "user", "job", "parent", "cgroup", "host"}
	TopMetrics = []string{"cpu", "mem", "io", "net", "forks", "growth", "faults"}
)

// ErrTopQuery is returned for a TopQuery that asks for something else than TopBy and TopMetrics have.
var ErrTopQuery = errors.New("no such order of a top")

// Top is who used most within a range, the most first.
type Top struct {
	From     float64    `json:"from_time"` // Unix seconds
	To       float64    `json:"to_time"`
	Rows     []TopRow   `json:"rows"`
	All      Usage      `json:"all"`      // of all lines, also of those beyond the limit
	Lines    int        `json:"lines"`    // how many there are without the limit
	Source   string     `json:"source"`   // samples, minutes, or both: where snapshots have left full resolution, minutes are read
	Coverage []Coverage `json:"coverage"` // how much of the range is known
}

// TopOf returns who used most within a range, which must have both ends.
//
// CPU, I/O, network and faults are differences of counters, so what a range costs to read does not grow with its samples. What ended has
// its exit's figures too, so short lives count. Memory is the peak of each process: what was stored of those that lived within the range
// alone, and for others the larger of its values at both ends. Where snapshots have left full resolution, the minutes of the rollups are
// read, for all of the range that they hold.
func TopOf(ctx context.Context, db *DB, q TopQuery) (*Top, error) {
	t, err := topWithoutCoverage(ctx, db, q)
	if err != nil {
		return nil, err
	}
	if t.Coverage, err = HostCoverage(ctx, db, q.Range); err != nil {
		return nil, fmt.Errorf("read who used most: %w", err)
	}
	return t, nil
}

func topWithoutCoverage(ctx context.Context, db *DB, q TopQuery) (*Top, error) {
	if !slices.Contains(TopBy, q.By) || !slices.Contains(TopMetrics, q.Sort) {
		return nil, fmt.Errorf("%w: by %q, sorted by %q", ErrTopQuery, q.By, q.Sort)
	}
	t := &Top{From: q.Since, To: q.Until, Rows: []TopRow{}}
	g := &grouping{by: q.By, filter: &q.Filter, rows: map[rowKey]*TopRow{}, seen: map[life]*seenLife{}, commands: map[[2]int64]string{}}
	edges, err := readEdges(ctx, db, &q.Filter)
	if err != nil {
		return nil, fmt.Errorf("read who used most: %w", err)
	}
	for _, e := range edges {
		if err := g.addBoot(ctx, db, e, &q.Filter); err != nil {
			return nil, fmt.Errorf("read who used most: %w", err)
		}
	}
	minutes, err := g.addMinutes(ctx, db, &q.Filter)
	if err == nil {
		err = g.addEvents(ctx, db, &q.Filter)
	}
	if err != nil {
		return nil, fmt.Errorf("read who used most: %w", err)
	}
	switch {
	case minutes && len(edges) > 0:
		t.Source = "both"
	case minutes:
		t.Source = "minutes"
	default:
		t.Source = "samples"
	}
	t.fill(g, &q)
	return t, nil
}

// fill sets the rows, sorted and cut.
func (t *Top) fill(g *grouping, q *TopQuery) {
	rows := make([]*TopRow, 0, len(g.rows))
	for _, r := range g.rows {
		if g.by == "parent" {
			r.Process.Command = g.commands[[2]int64{r.hostID, r.Process.PID}]
		}
		r.CPU = 100 * r.CPUSeconds / max(1e-9, t.To-t.From)
		rows = append(rows, r)
	}
	t.Lines = len(rows)
	slices.SortFunc(rows, func(a, b *TopRow) int {
		if c := cmp.Compare(b.metric(q.Sort), a.metric(q.Sort)); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(b.CPUSeconds, a.CPUSeconds), cmp.Compare(b.Memory, a.Memory),
			strings.Compare(a.Key, b.Key), strings.Compare(a.Host, b.Host), cmp.Compare(a.pid(), b.pid()))
	})
	for _, r := range rows { // in their order: sums of floating point depend on it
		t.All.add(r.Usage)
	}
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	for _, r := range rows {
		if r.Process != nil && r.Process.State == "" { // it says which process the line is about, and no sample of it
			r.Process.Unknown = unknownOfEnded
		}
		t.Rows = append(t.Rows, *r)
	}
}

// addBoot adds what the samples of a boot of a host say.
func (g *grouping) addBoot(ctx context.Context, db *DB, e edge, f *Filter) error {
	parts, err := readParts(ctx, db, e, f.Since)
	if err != nil {
		return err
	}
	for i, p := range parts {
		of := life{p.hostID, p.boot, p.PID, p.StartTicks}
		parent := p.PPID
		if known := g.seen[of]; known != nil && i > 0 {
			parent = parts[i-1].PPID
			p.PPID = parent // at birth, as far as it was seen
		}
		g.name(p.hostID, p.PID, p.Command)
		s := &seenLife{last: p.end}
		if p.outside {
			s.before = &p.Process
		} else if f.picks(&p.Process) {
			s.row, s.memory = g.row(p.host, of, &p.Process, parent), p.usage.Memory
			u := p.usage
			old := g.seen[of]
			if old != nil && old.before != nil {
				u.Processes = 1
			}
			if old != nil && old.row == s.row { // one process is one, however often it changes
				s.memory = max(old.memory, u.Memory)
				u.Memory = s.memory - old.memory
			}
			s.row.add(u)
		}
		g.seen[of] = s
	}
	return nil
}
