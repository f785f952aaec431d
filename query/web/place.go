package web

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/schema"
)

// streams is what a client of the stream asks for.
type streams struct {
	kinds []string // of events; empty for all
	from  *float64 // Unix seconds; nil for what comes from now on
	place place
}

// place is how far a client has come: the sequence of the last message that it has, by stream.
type place map[string]uint64

// letters are how streams are called in the id of an event.
var letters = []struct{ letter, stream string }{{"s", schema.StreamSnapshots}, {"e", schema.StreamEvents}}

// String is the place as a client gives it back: "s120-e44".
func (p place) String() string {
	var parts []string
	for _, l := range letters {
		if n, ok := p[l.stream]; ok {
			parts = append(parts, l.letter+strconv.FormatUint(n, 10))
		}
	}
	return strings.Join(parts, "-")
}

// parsePlace reads a place.
func parsePlace(text string) (place, error) {
	p := place{}
	for part := range strings.SplitSeq(text, "-") {
		i := slices.IndexFunc(letters, func(l struct{ letter, stream string }) bool { return strings.HasPrefix(part, l.letter) })
		if i < 0 {
			return nil, errors.New("it is no id of this stream")
		}
		n, err := strconv.ParseUint(part[1:], 10, 64)
		if err != nil {
			return nil, errors.New("it is no id of this stream")
		}
		p[letters[i].stream] = n
	}
	return p, nil
}
