package top

import "fmt"

// asTree puts rows below their parents, each family in the order of the rows. What is below a folded row is left out and counted.
func asTree(m *Model, rows []*Row) []*Row {
	roots, children := families(rows)
	out := make([]*Row, 0, len(rows))
	seen := make(map[*Row]bool, len(rows))
	var add func(r *Row, lead string, depth int, end bool)
	add = func(r *Row, lead string, depth int, end bool) {
		if seen[r] {
			return
		}
		seen[r] = true
		below := children[r]
		r.place.depth = depth
		under := lead
		if depth > 0 {
			r.place.branch, under = lead+"├─", lead+"│ "
			if end {
				r.place.branch, under = lead+"└─", lead+"  "
			}
		}
		out = append(out, r)
		if m.list.folds[r.ID()] && len(below) > 0 {
			r.place.kids = countBelow(children, r, seen)
			r.place.branch += fmt.Sprintf("+[%d] ", r.place.kids)
			return
		}
		for i, c := range below {
			add(c, under, depth+1, i == len(below)-1)
		}
	}
	for _, r := range roots {
		add(r, "", 0, false)
	}
	for _, r := range rows { // parents that go round in a circle have no root
		add(r, "", 0, false)
	}
	return out
}

// countBelow counts what is below a row, and notes it as seen.
func countBelow(children map[*Row][]*Row, r *Row, seen map[*Row]bool) (n int) {
	for _, c := range children[r] {
		if !seen[c] {
			seen[c] = true
			n += 1 + countBelow(children, c, seen)
		}
	}
	return n
}

// families are the rows without a parent among them, and the children of each of the others.
func families(rows []*Row) (roots []*Row, children map[*Row][]*Row) {
	type key struct {
		host string
		pid  int64
	}
	byPID := make(map[key]*Row, len(rows))
	for _, r := range rows {
		if old := byPID[key{r.Host, r.PID}]; old == nil || old.End != nil {
			byPID[key{r.Host, r.PID}] = r
		}
	}
	children = map[*Row][]*Row{}
	for _, r := range rows {
		parent := byPID[key{r.Host, r.PPID}]
		if parent == nil || parent == r || parent.StartTicks > r.StartTicks { // a pid that was used again is no parent
			roots = append(roots, r)
			continue
		}
		children[parent] = append(children[parent], r)
	}
	return roots, children
}
