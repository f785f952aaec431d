package projector

import (
	"path"
	"slices"

	"github.com/proctape/proctape/schema"
)

// hostFilter is which hosts a database is of, as patterns of path.Match; none for all.
type hostFilter []string

// passesOver reports whether a message under a subject is of another host. What is said to the fleet, and what is no subject of ours, is
// everybody's.
func (f hostFilter) passesOver(subject string) bool {
	if len(f) == 0 {
		return false
	}
	host, _, err := schema.ParseSubject(subject)
	if err != nil || host == schema.Fleet {
		return false
	}
	return !slices.ContainsFunc(f, func(pattern string) bool {
		matches, _ := path.Match(pattern, host) // the patterns were checked
		return matches
	})
}
