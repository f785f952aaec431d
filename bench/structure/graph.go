package structure

import (
	"slices"
)

// Graph is arrows between named things: from, to, and the names that make the arrow. No arrow leads to its own start.
type Graph map[string]map[string][]string

func (g Graph) node(name string) {
	if g[name] == nil {
		g[name] = map[string][]string{}
	}
}

func (g Graph) add(from, to, name string) {
	g.node(from)
	g.node(to)
	if from != to && !slices.Contains(g[from][to], name) {
		g[from][to] = append(g[from][to], name)
	}
}

// Arrows returns how many ordered pairs are joined.
func (g Graph) Arrows() int {
	n := 0
	for _, to := range g {
		n += len(to)
	}
	return n
}

// Circles returns the strongly connected components of more than one node, the largest first, their nodes sorted.
func (g Graph) Circles() [][]string {
	s := &components{g: g, index: map[string]int{}, low: map[string]int{}, on: map[string]bool{}}
	for _, n := range sortedKeys(g) {
		if s.index[n] == 0 {
			s.visit(n)
		}
	}
	slices.SortStableFunc(s.found, func(a, b []string) int { return len(b) - len(a) })
	return s.found
}

// components is Tarjan's algorithm.
type components struct {
	g          Graph
	index, low map[string]int
	stack      []string
	on         map[string]bool
	found      [][]string
}

func (s *components) visit(n string) {
	s.index[n] = len(s.index) + 1
	s.low[n] = s.index[n]
	s.stack, s.on[n] = append(s.stack, n), true
	for _, to := range sortedKeys(s.g[n]) {
		if s.index[to] == 0 {
			s.visit(to)
			s.low[n] = min(s.low[n], s.low[to])
		} else if s.on[to] {
			s.low[n] = min(s.low[n], s.index[to])
		}
	}
	if s.low[n] != s.index[n] {
		return
	}
	at := slices.Index(s.stack, n)
	circle := slices.Sorted(slices.Values(s.stack[at:]))
	for _, member := range circle {
		s.on[member] = false
	}
	s.stack = s.stack[:at]
	if len(circle) > 1 {
		s.found = append(s.found, circle)
	}
}

// Up returns the arrows, as {from, to}, that lead against the best order that was found. Without a circle there are
// none. The order is a heuristic's (Eades, Lin and Smyth, then moving single nodes while that helps): the true minimum may
// be lower, never higher.
func (g Graph) Up() [][2]string {
	var up [][2]string
	for _, circle := range g.Circles() {
		order := g.improve(g.greedyOrder(circle))
		for i, from := range order {
			for _, to := range order[:i] {
				if g[from][to] != nil {
					up = append(up, [2]string{from, to})
				}
			}
		}
	}
	return up
}

// greedyOrder puts next to the front the node whose arrows out exceed its arrows in by most.
func (g Graph) greedyOrder(nodes []string) []string {
	left := slices.Clone(nodes)
	var order []string
	for len(left) > 0 {
		best, bestScore := 0, -len(nodes)
		for i, n := range left {
			score := 0
			for _, other := range left {
				score += g.has(n, other) - g.has(other, n)
			}
			if score > bestScore {
				best, bestScore = i, score
			}
		}
		order = append(order, left[best])
		left = slices.Delete(left, best, best+1)
	}
	return order
}

// improve moves one node at a time to its best place until no move lowers the number of arrows up.
func (g Graph) improve(order []string) []string {
	for again := true; again; {
		again = false
		for i := range order {
			n := order[i]
			gain, best, at := 0, 0, i
			for j := i - 1; j >= 0; j-- { // before order[j]
				gain += g.has(n, order[j]) - g.has(order[j], n)
				if gain > best {
					best, at = gain, j
				}
			}
			gain = 0
			for j := i + 1; j < len(order); j++ { // behind order[j]
				gain += g.has(order[j], n) - g.has(n, order[j])
				if gain > best {
					best, at = gain, j
				}
			}
			if at != i {
				order = slices.Insert(slices.Delete(order, i, i+1), at, n)
				again = true
			}
		}
	}
	return order
}

func (g Graph) has(from, to string) int {
	if g[from][to] != nil {
		return 1
	}
	return 0
}

// Nodes returns the names of all nodes, sorted.
func (g Graph) Nodes() []string { return sortedKeys(g) }
