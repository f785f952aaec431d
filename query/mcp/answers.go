package mcp

import "github.com/proctape/proctape/query"

// items are a listing.
type items[T any] struct {
	Items []T `json:"items"`
}

func (l *items[T]) halve() bool {
	had := len(l.Items)
	l.Items = l.Items[:had/2]
	return had > 0
}

// cursor goes on behind the last item; empty where nothing can.
func (l *items[T]) cursor() query.Cursor {
	if len(l.Items) > 0 {
		if of, can := any(l.Items[len(l.Items)-1]).(interface{ Cursor() query.Cursor }); can {
			return of.Cursor()
		}
	}
	return ""
}

// cutItems keeps the first items, up to a limit.
func cutItems[T any](all []T, limit int) (*items[T], bool) {
	n := min(len(all), limit)
	return &items[T]{all[:n:n]}, n < len(all)
}

// lines are who used most.
type lines struct{ *query.Top }

func (l *lines) halve() bool {
	had := len(l.Rows)
	l.Rows = l.Rows[:had/2]
	return had > 0
}

// trees are the processes of hosts at a time.
type trees struct {
	Hosts []treeOf `json:"trees"`
}

// treeOf is the tree of a host.
type treeOf struct {
	Host  string        `json:"host"`
	At    float64       `json:"snapshot_time"` // of the snapshot that it is made of
	Count int           `json:"process_count"` // nodes that there are, also of what was left out
	Roots []*query.Node `json:"roots"`
}

func (t *trees) halve() bool {
	n := 0
	for i := range t.Hosts {
		n += countNodes(t.Hosts[i].Roots)
	}
	t.keep(n / 2)
	return n > 0
}

// countNodes is how many processes are in trees.
func countNodes(nodes []*query.Node) int {
	n := len(nodes)
	for _, child := range nodes {
		n += countNodes(child.Children)
	}
	return n
}

// keep keeps so many nodes, those nearest to the roots, and reports whether there were more. The sums of a node go on counting what is below it.
func (t *trees) keep(most int) (cut bool) {
	var level []*[]*query.Node
	for i := range t.Hosts {
		level = append(level, &t.Hosts[i].Roots)
	}
	for len(level) > 0 {
		var below []*[]*query.Node
		for _, list := range level {
			n := min(len(*list), most)
			cut = cut || n < len(*list)
			*list = (*list)[:n]
			most -= n
			for _, node := range *list {
				below = append(below, &node.Children)
			}
		}
		level = below
	}
	return cut
}

// rows are the rows of a statement, each with the values of the columns.
type rows struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"untrusted_rows"`
}

func (r *rows) halve() bool {
	had := len(r.Rows)
	r.Rows = r.Rows[:had/2]
	return had > 0
}
