package jobs

import "github.com/proctape/proctape/schema"

// conclude returns the ends of runs whose root is gone, after a scan at a wall time, and forgets these runs. The root of a run that
// was declared before this program began may be one that it cannot see, such as one of another pid namespace: then the run goes on while a
// process of its job lives.
func (o *openRuns) conclude(wall int64, final bool, tree *processTree) (ends []schema.JobEvent) {
	o.scanned = true
	for _, r := range o.runs {
		if r.undeclared {
			ends = append(ends, o.concludeUndeclared(r, wall, final, tree)...)
			continue
		}
		m := tree.find(r.root, r.start)
		switch {
		case r.exit.Known:
		case m != nil && m.lastScan == tree.scans:
			r.alive, r.missing = wall, 0
			continue
		case r.alive == 0 && (!r.early || tree.hasProcessOf(hostJob(r.job))):
			continue
		case r.missing == 0:
			r.missing = wall
		}
		if wall-max(r.missing, r.exit.V) >= runPatience {
			ends = append(ends, r.concluded())
			o.remove(r)
		}
	}
	return ends
}
