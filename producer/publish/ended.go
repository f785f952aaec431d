package publish

import (
	"slices"

	"github.com/proctape/proctape/schema"
)

// ended are lives of the host that have ended, until the log has heard of each in every stream that keeps something of it.
// Within a stream a message stands behind those of the lives before it: what of these has not come by then does not come.
type ended struct{ lives []endedLife }

type endedLife struct {
	schema.End
	untold []string // streams in which the log has not heard of it
}

// add takes up a life.
func (e *ended) add(end schema.End) {
	life := endedLife{End: end}
	for _, r := range end.Reached {
		if stream := schema.StreamFor(r.Kind); !slices.Contains(life.untold, stream) {
			life.untold = append(life.untold, stream)
		}
	}
	e.lives = append(e.lives, life)
}

// in is what a message of a stream has to tell.
func (e *ended) in(stream string) (ends []schema.End) {
	for i := range e.lives {
		if slices.Contains(e.lives[i].untold, stream) && len(ends) < schema.MaxEnds {
			ends = append(ends, e.lives[i].End)
		}
	}
	return ends
}

// told notes that the log has a message of a stream that tells of these lives.
func (e *ended) told(stream string, ends []schema.End) {
	for i := range ends {
		for j := range e.lives {
			if life := &e.lives[j]; life.Instance == ends[i].Instance {
				life.untold = slices.DeleteFunc(life.untold, func(s string) bool { return s == stream })
			}
		}
	}
}

// takeTold removes the lives of which the log has heard all, and returns which they were.
func (e *ended) takeTold() (told []schema.Instance) {
	e.lives = slices.DeleteFunc(e.lives, func(life endedLife) bool {
		if len(life.untold) > 0 {
			return false
		}
		told = append(told, life.Instance)
		return true
	})
	return told
}
