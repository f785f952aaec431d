package projector

import "slices"

// verdict is what a message's numbers say of it.
type verdict int

const (
	fresh     verdict = iota // never seen
	duplicate                // all of it was seen before
	overlap                  // some of it was: no producer of ours does that
)

// span is the numbers first to last of one producer's kind.
type span struct{ first, last uint64 }

func (s span) count() uint64 { return s.last - s.first + 1 }

// hole is a span that is not stored: it was jumped over, or is in quarantine. at is the key of its row in gaps.
type hole struct {
	span
	reason string
	at     gapKey
}

// numbers knows which of a producer's numbers have come: all below next, the holes excepted.
type numbers struct {
	next  uint64 // the lowest number above all that came; the first is 1
	holes []hole // rising
}

// admission is what admitting a message changes.
type admission struct {
	verdict verdict
	skipped *span  // a new hole before the message
	filled  *hole  // the hole that the message fills, wholly or in part
	rest    []span // what is left of that hole, at most two spans
}

// judge says what a message with the numbers s is, without changing anything. A message that comes late, after
// others were seen behind it, fills the hole it left.
func (n *numbers) judge(s span) admission {
	switch {
	case s.first > n.next:
		return admission{skipped: &span{n.next, s.first - 1}}
	case s.first == n.next:
		return admission{}
	}
	i, _ := slices.BinarySearchFunc(n.holes, s.first, func(h hole, first uint64) int {
		if h.last < first {
			return -1
		}
		return 1
	})
	// holes[i] is the first that ends at or after s begins.
	if i == len(n.holes) || n.holes[i].first > s.last {
		if s.last < n.next {
			return admission{verdict: duplicate}
		}
		return admission{verdict: overlap}
	}
	h := n.holes[i]
	if s.first < h.first || s.last > h.last {
		return admission{verdict: overlap}
	}
	a := admission{filled: &h}
	if s.first > h.first {
		a.rest = append(a.rest, span{h.first, s.first - 1})
	}
	if s.last < h.last {
		a.rest = append(a.rest, span{s.last + 1, h.last})
	}
	return a
}

// advance records that the numbers up to last have come, or are in a hole.
func (n *numbers) advance(last uint64) { n.next = max(n.next, last+1) }

// open records a hole.
func (n *numbers) open(h hole) {
	i, _ := slices.BinarySearchFunc(n.holes, h.first, func(o hole, first uint64) int {
		if o.first < first {
			return -1
		}
		return 1
	})
	n.holes = slices.Insert(n.holes, i, h)
}

// close forgets the hole that begins at first.
func (n *numbers) close(first uint64) {
	n.holes = slices.DeleteFunc(n.holes, func(h hole) bool { return h.first == first })
}
