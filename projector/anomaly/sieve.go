package anomaly

import (
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// sieve is the part of a rule on processes that is looked at column by column: a number that a process must have for the rule to say anything of it.
// What it lets through may still be turned away.
type sieve struct {
	column *metric.ID // nil: everything passes
	some   bool       // a text: any but the empty one
	exact  bool       // what passes is watched: nothing else need be asked
	least  int64
	most   int64
}

// sieveOf is the sieve of a condition: of the first comparison of a metric with a constant that must hold.
func sieveOf(e *expression) sieve {
	if e == nil {
		return sieve{}
	}
	for i := range e.guards {
		g := &e.guards[i]
		id := g.field.metric
		if id == metric.Count || g.setting != "" || g.other != nil {
			continue
		}
		s := sieve{column: &id, most: 1 << 62}
		limit := g.constant * g.field.per
		switch {
		case g.isText && g.op == "==" && len(g.text) == 1 && id == metric.State:
			s.least, s.most = int64(g.text[0]), int64(g.text[0])
		case g.isText && g.op == "!=" && g.text == "" && id != metric.State:
			s.some, s.exact = true, true
		case g.isText:
			continue
		case g.op == ">=", g.op == ">":
			s.least, s.exact = int64(limit), g.op == ">=" && limit == float64(int64(limit))
		case g.op == "<=", g.op == "<":
			s.most = int64(limit) + 1
		case g.op == "==":
			s.least, s.most = int64(limit)-1, int64(limit)+1
		default:
			continue
		}
		s.least = max(s.least, 0) // below is unknown
		s.exact = s.exact && e.whole && len(e.guards) == 1
		return s
	}
	return sieve{}
}

// passes reports whether a process may be one that the rule says something of.
func (s *sieve) passes(p *schema.Processes, row int) bool {
	if s.column == nil {
		return true
	}
	if s.some {
		return p.Text(*s.column, row) != ""
	}
	column := schema.ColumnOf(p, *s.column)
	switch {
	case len(column) == 1:
		row = 0
	case row >= len(column):
		return false
	}
	return s.least <= column[row] && column[row] <= s.most
}
