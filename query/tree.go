package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Tree is the processes of a host at a time, each below the process that bore it. A parent that has ended is in the tree where
// something that it bore still lives: what was re-parented stays where it was born.
type Tree struct {
	HostAt
	Roots []*Node `json:"roots"`
}

// Node is a process in a tree.
type Node struct {
	Process
	Ended    bool    `json:"ended"`     // it lives no more; of its figures nothing is known
	Adopted  bool    `json:"adopted"`   // its parent now is not the one that bore it
	BornOf   *int64  `json:"born_of"`   // the pid of the parent at its birth; nil when that is not recorded
	Children []*Node `json:"children"`  // by pid
	UsedCPU  float64 `json:"sum_cpu"`   // percent of a core, of it and all below it
	SumRSS   float64 `json:"sum_rss"`   // MiB, of it and all below it; pages that they share count for each
	Count    int64   `json:"processes"` // that live, of it and all below it
}

// TreeAt returns the trees of the hosts at a time, as [ProcessesAt] finds them. A filter keeps what it picks, with what bore it and
// all that is below.
func TreeAt(ctx context.Context, db *DB, at float64, f Filter) ([]Tree, error) {
	moments, err := ProcessesAt(ctx, db, at, Filter{Range: Range{Host: f.Host}})
	if err != nil {
		return nil, err
	}
	trees := make([]Tree, len(moments))
	for i, m := range moments {
		nodes, err := growTree(ctx, db, &m)
		if err != nil {
			return nil, fmt.Errorf("read the tree of a time: %w", err)
		}
		trees[i] = Tree{m, prune(nodes, &f)}
		for _, n := range trees[i].Roots {
			n.sum()
		}
	}
	return trees, nil
}

// unknownOfEnded are the keys of a process that has ended of which nothing is known.
var unknownOfEnded = []string{"state", "threads", "vms_mb", "rss_mb", "open_fds", "cpu_percent", "cpu_seconds", "age_seconds"}

// growTree makes the nodes of a moment, and returns the roots.
func growTree(ctx context.Context, db *DB, m *HostAt) ([]*Node, error) {
	boot, err := bootOf(ctx, db, &m.Snapshot)
	if err != nil {
		return nil, err
	}
	b := births{db, m.hostID, boot}
	byPID := make(map[int64]*Node, len(m.Processes))
	for _, p := range m.Processes {
		byPID[p.PID] = &Node{Process: p}
	}
	var roots []*Node
	ended := map[Identity]*Node{}
	for _, p := range m.Processes {
		n := byPID[p.PID]
		if n.BornOf, err = b.parentOf(ctx, p.PID, p.StartTicks); err != nil {
			return nil, err
		}
		if n.BornOf == nil {
			n.BornOf = &n.PPID
		}
		n.Adopted = *n.BornOf != p.PPID
		for child, bornOf := n, n.BornOf; ; {
			parent := byPID[*bornOf]
			if *bornOf == 0 || parent == child {
				roots = append(roots, child)
				break
			}
			if parent != nil && parent.StartTicks <= child.StartTicks {
				parent.Children = append(parent.Children, child)
				break
			}
			a, err := b.bearer(ctx, *bornOf, child.StartTicks)
			if err != nil {
				return nil, err
			}
			start := cmp.Or(deref(a.StartTicks, 0), -1)
			of := Identity{PID: a.PID, BootID: fmt.Sprint(start)}
			if known := ended[of]; known != nil {
				known.Children = append(known.Children, child)
				break
			}
			ghost := &Node{Process: Process{PID: a.PID, Command: a.Command, StartTicks: start, JobID: a.JobID, Unknown: unknownOfEnded}, Ended: true, BornOf: a.PPID, Children: []*Node{child}}
			ended[of] = ghost
			if a.PPID == nil || start < 0 {
				roots = append(roots, ghost)
				break
			}
			ghost.PPID = *a.PPID
			child, bornOf = ghost, a.PPID
		}
	}
	return roots, nil
}

// bootOf is the boot in which a snapshot or a minute was made.
func bootOf(ctx context.Context, db *DB, s *Snapshot) (boot string, err error) {
	query, id := `SELECT boot_id FROM snapshots WHERE id = ?`, s.ID
	if s.rollupID != 0 {
		query, id = `SELECT boot_id FROM rollups WHERE id = ?`, s.rollupID
	}
	err = db.db.QueryRowContext(ctx, query, id).Scan(&boot)
	return boot, err
}

// prune keeps what a filter picks, with what bore it and all that is below.
func prune(nodes []*Node, f *Filter) []*Node {
	kept := []*Node{}
	for _, n := range nodes {
		if f.picks(&n.Process) {
			kept = append(kept, n)
			continue
		}
		if n.Children = prune(n.Children, f); len(n.Children) > 0 {
			kept = append(kept, n)
		}
	}
	slices.SortFunc(kept, func(a, b *Node) int { return cmp.Compare(a.PID, b.PID) })
	return kept
}

// sum adds up what is below a node.
func (n *Node) sum() {
	n.UsedCPU, n.SumRSS, n.Count = n.CPUPercent, n.RSS, 1
	if n.Ended {
		n.UsedCPU, n.SumRSS, n.Count = 0, 0, 0
	}
	slices.SortFunc(n.Children, func(a, b *Node) int { return cmp.Compare(a.PID, b.PID) })
	for _, c := range n.Children {
		c.sum()
		n.UsedCPU, n.SumRSS, n.Count = n.UsedCPU+c.UsedCPU, n.SumRSS+c.SumRSS, n.Count+c.Count
	}
}
