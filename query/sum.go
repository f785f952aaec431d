package query

import (
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Sums of SQL are made by total(), which is of floating point: exact to 2^53, and it never overflows, where sum() of integers
// fails for all hosts because of one (https://sqlite.org/lang_aggfunc.html#sumunc).

// countOf is the SQL that adds up a column of counts. The sum stays a whole number.
func countOf(column string) string { return `CAST(total(` + column + `) AS INTEGER)` }

// stopped is the SQL that says whether one of the sums that are stored in some columns stopped at [schema.MaxSum]. What is made of
// it is at least so much.
func stopped(columns ...string) string {
	condition := ``
	for i, c := range columns {
		if i > 0 {
			condition += ` OR `
		}
		condition += fmt.Sprintf(`max(%s) >= %d`, c, int64(schema.MaxSum))
	}
	return condition
}

// lowerBounds are the keys of some counts that stopped at [schema.MaxSum]; nil for none.
func lowerBounds(counts ...namedCount) (keys []string) {
	for _, c := range counts {
		if c.n >= schema.MaxSum {
			keys = append(keys, c.key)
		}
	}
	return keys
}

// namedCount is a count and its key in JSON.
type namedCount struct {
	key string
	n   int64
}
