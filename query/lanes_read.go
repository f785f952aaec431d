package query

import (
	"database/sql"
	"math"
	"slices"
)

// openClass is the class of a life without an end.
const openClass = 31

// shortestBar is the least class of which lives are as long as ms milliseconds, or may be.
func shortestBar(ms float64) int {
	class := 0
	for class < openClass-1 && lengthOf(class+1) <= ms {
		class++
	}
	return class
}

// lengthOf is the least length of the lives of a class, ms.
func lengthOf(class int) float64 { return math.Pow(4, float64(class)) }

// laneKey names a group.
type laneKey struct {
	host, job string
	fleet     bool
	sheet     int64 // -1 for none
}

// laneReader reads lanes.
type laneReader struct {
	*Lanes
	filter   *Filter
	index    map[laneKey]int // of groups
	shortest int             // class of lives that have bars
}

// group is the place of a group, which is made when there is none.
func (r *laneReader) group(k laneKey) int {
	i, ok := r.index[k]
	if !ok {
		i = len(r.Groups)
		r.index[k] = i
		g := LaneGroup{Host: k.host, JobID: k.job, Fleet: k.fleet}
		if k.sheet >= 0 {
			g.Sheet = &k.sheet
		}
		r.Groups = append(r.Groups, g)
	}
	return i
}

// where are the conditions of lives of a class in the range, in the alias l, and their arguments.
func (r *laneReader) where(class int) (string, []any) {
	from, to := r.filter.Since*1000, r.filter.Until*1000
	where, args := `l.class = ? AND l.start_ms < ?`, []any{class, to}
	if class < openClass {
		where, args = where+` AND l.start_ms > ? AND l.end_ms >= ?`, append(args, from-lengthOf(class+1), from)
	}
	more, values := r.picked("l")
	return where + more, append(args, values...)
}

// picked are the conditions of the filter for a table with the columns of a step, in an alias.
func (r *laneReader) picked(alias string) (where string, args []any) {
	where = ` AND ` + alias + `.host_id IN (SELECT id FROM hosts)`
	if r.filter.Host != "" {
		where, args = ` AND `+alias+`.host_id = (SELECT id FROM hosts WHERE name = ?)`, append(args, r.filter.Host)
	}
	if r.filter.Job != "" {
		where, args = where+` AND `+alias+`.job_id = ?`, append(args, r.filter.Job)
	}
	if r.filter.Step != nil {
		where, args = where+` AND `+alias+`.sheet_num = ?`, append(args, *r.filter.Step)
	}
	return where, args
}

// scanGroup reads the columns of a group, and returns its place.
func (r *laneReader) scanGroup(rows *sql.Rows, into ...any) (int, error) {
	var k laneKey
	if err := rows.Scan(append([]any{&k.host, &k.job, &k.fleet, &k.sheet}, into...)...); err != nil {
		return 0, err
	}
	return r.group(k), nil
}

// sort brings groups, bars and cells into their order.
func (r *laneReader) sort() {
	order := make([]int, len(r.Groups))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareGroups(&r.Groups[a], &r.Groups[b]) })
	place, groups := make([]int, len(order)), make([]LaneGroup, len(order))
	for to, from := range order {
		place[from], groups[to] = to, r.Groups[from]
	}
	r.Groups = groups
	for i := range r.Bars {
		r.Bars[i].Group = place[r.Bars[i].Group]
	}
	for i := range r.Cells {
		r.Cells[i].Group = place[r.Cells[i].Group]
	}
	slices.SortFunc(r.Bars, compareBars)
	slices.SortFunc(r.Cells, compareCells)
}
