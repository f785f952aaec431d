package union

import (
	"math"
	"slices"
	"strings"

	"modernc.org/sqlite/vtab"
)

// BestIndex implements [vtab.Table]: every condition that can be handed on is, and so is the order.
func (t *connTable) BestIndex(info *vtab.IndexInfo) error {
	p := &plan{order: info.OrderBy}
	for i := range t.columns {
		if info.ColUsed>>min(i, 63)&1 == 1 || slices.Contains(t.primary, i) || slices.ContainsFunc(info.OrderBy, func(o vtab.OrderBy) bool { return o.Column == i }) {
			p.columns = append(p.columns, i)
		}
	}
	given := 0
	for i := range info.Constraints {
		c := &info.Constraints[i]
		op, can := operators[c.Op]
		if !can || !c.Usable || c.Column < 0 {
			continue
		}
		next := condition{c.Column, op, !strings.HasSuffix(op, "NULL")}
		if next.given {
			c.ArgIndex = given
			given++
		}
		p.conditions = append(p.conditions, next)
	}
	// Conditions without a value come to Filter too, so that their number is that of the values.
	info.OrderByConsumed = len(p.order) > 0 && !slices.ContainsFunc(p.order, func(o vtab.OrderBy) bool { return o.Column < 0 })
	if !info.OrderByConsumed {
		p.order = nil
	}
	rows, unique := t.estimate(p)
	info.EstimatedRows, info.EstimatedCost = int64(math.Ceil(rows)), 20+10*rows
	if unique {
		info.IdxFlags = vtab.IndexScanUnique
	}
	info.IdxStr = p.text()
	return nil
}

// estimate is how many rows have to be read, by the best key.
func (t *table) estimate(p *plan) (rows float64, unique bool) {
	rows = t.rows()
	has := func(column int, ops ...string) bool {
		return slices.ContainsFunc(p.conditions, func(c condition) bool { return c.column == column && slices.Contains(ops, c.op) })
	}
	for _, k := range t.keys {
		n, equal := t.rows(), 0
		for equal < len(k.columns) && has(k.columns[equal], "=") {
			equal++
			n /= 300
		}
		if equal == len(k.columns) && k.unique {
			return 1, true
		}
		if equal < len(k.columns) {
			if has(k.columns[equal], ">", ">=") {
				n /= 5
			}
			if has(k.columns[equal], "<", "<=") {
				n /= 5
			}
			if has(k.columns[equal], ">", ">=") && has(k.columns[equal], "<", "<=") {
				n /= 200 // mostly a snapshot's samples, or the span of a picture
			}
		}
		rows = min(rows, max(n, 2))
	}
	return rows, false
}
