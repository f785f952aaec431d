package fold

import (
	"slices"

	"github.com/proctape/proctape/projector/store"
)

// numberState is what a message's numbers say of it.
type numberState int

const (
	fresh     numberState = iota // never seen
	duplicate                    // all of it was seen before
	overlap                      // some of it was: no producer of ours does that
)

// numbers knows which of a producer's numbers have come.
type numbers store.Numbers

// admission is what admitting a message changes.
type admission struct {
	state     numberState
	skipped   *store.Span  // a new hole before the message
	filled    *store.Hole  // the hole that the message fills, wholly or in part
	remaining []store.Span // what is left of that hole, at most two spans
}

// classify says what a message with the numbers s is, without changing anything. A message that comes late, after
// others were seen behind it, fills the hole it left.
func (n *numbers) classify(s store.Span) admission {
	switch {
	case s.First > n.Next:
		return admission{skipped: &store.Span{First: n.Next, Last: s.First - 1}}
	case s.First == n.Next:
		return admission{}
	}
	i, _ := slices.BinarySearchFunc(n.Holes, s.First, func(h store.Hole, first uint64) int {
		if h.Last < first {
			return -1
		}
		return 1
	})
	// Holes[i] is the first that ends at or after s begins.
	if i == len(n.Holes) || n.Holes[i].First > s.Last {
		if s.Last < n.Next {
			return admission{state: duplicate}
		}
		return admission{state: overlap}
	}
	h := n.Holes[i]
	if s.First < h.First || s.Last > h.Last {
		return admission{state: overlap}
	}
	a := admission{filled: &h}
	if s.First > h.First {
		a.remaining = append(a.remaining, store.Span{First: h.First, Last: s.First - 1})
	}
	if s.Last < h.Last {
		a.remaining = append(a.remaining, store.Span{First: s.Last + 1, Last: h.Last})
	}
	return a
}

// book records that the numbers s have come, as they were classified, and that there are new holes.
func (n *numbers) book(s store.Span, a admission, holes []store.Hole) {
	if a.filled != nil {
		n.close(a.filled.First)
	}
	for _, h := range holes {
		n.open(h)
	}
	n.advance(s.Last)
}

// advance records that the numbers up to last have come, or are in a hole.
func (n *numbers) advance(last uint64) { n.Next = max(n.Next, last+1) }

// open records a hole.
func (n *numbers) open(h store.Hole) {
	i, _ := slices.BinarySearchFunc(n.Holes, h.First, func(o store.Hole, first uint64) int {
		if o.First < first {
			return -1
		}
		return 1
	})
	n.Holes = slices.Insert(n.Holes, i, h)
}

// close forgets the hole that begins at first.
func (n *numbers) close(first uint64) {
	n.Holes = slices.DeleteFunc(n.Holes, func(h store.Hole) bool { return h.First == first })
}
