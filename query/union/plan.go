package union

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite/vtab"
)

// operators are the conditions that are handed on. What they let through is checked again by who asked.
var operators = map[vtab.ConstraintOp]string{vtab.OpEQ: "=", vtab.OpGT: ">", vtab.OpGE: ">=", vtab.OpLT: "<", vtab.OpLE: "<=", vtab.OpISNULL: "IS NULL", vtab.OpISNOTNULL: "IS NOT NULL"}

// condition is one on a column.
type condition struct {
	column int
	op     string
	given  bool // it has a value
}

// plan is how a table is read. Its text is what SQLite keeps of it.
type plan struct {
	columns    []int // in their order in the rows that are read
	at         []int // of each of the table's columns, where it is in them; negative where it is not read
	conditions []condition
	order      []vtab.OrderBy
}

// text is the plan in words.
func (p *plan) text() string {
	var b strings.Builder
	for _, c := range p.columns {
		fmt.Fprintf(&b, "c %d\n", c)
	}
	for _, c := range p.conditions {
		fmt.Fprintf(&b, "w %d %s\n", c.column, c.op)
	}
	for _, o := range p.order {
		fmt.Fprintf(&b, "o %d %t\n", o.Column, o.Desc)
	}
	return b.String()
}

// parsePlan reads the words of a plan.
func parsePlan(text string, columns int) *plan {
	p := &plan{at: slices.Repeat([]int{-1}, columns)}
	for line := range strings.Lines(text) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 3)
		n, _ := strconv.Atoi(words[1])
		switch words[0] {
		case "c":
			p.at[n] = len(p.columns)
			p.columns = append(p.columns, n)
		case "w":
			p.conditions = append(p.conditions, condition{n, words[2], !strings.HasSuffix(words[2], "NULL")})
		case "o":
			p.order = append(p.order, vtab.OrderBy{Column: n, Desc: words[2] == "true"})
		}
	}
	return p
}
