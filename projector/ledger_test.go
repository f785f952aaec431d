package projector

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// withHoles is a producer's numbers up to next, with holes.
func withHoles(next uint64, holes ...span) numbers {
	n := numbers{next: next}
	for _, s := range holes {
		n.open(hole{span: s})
	}
	return n
}

func TestNumbers_Judge(t *testing.T) {
	spanOf := func(first, last uint64) *span { return &span{first, last} }
	holeOf := func(first, last uint64) *hole { return &hole{span: span{first, last}} }
	tests := []struct {
		name string
		n    numbers
		s    span
		want admission
	}{
		{"first of all", withHoles(1), span{1, 1}, admission{}},
		{"next", withHoles(10), span{10, 14}, admission{}},
		{"jump by one", withHoles(10), span{11, 11}, admission{skipped: spanOf(10, 10)}},
		{"jump by many", withHoles(1), span{100, 101}, admission{skipped: spanOf(1, 99)}},
		{"jump with holes before", withHoles(10, span{2, 3}), span{12, 12}, admission{skipped: spanOf(10, 11)}},
		{"fill whole", withHoles(10, span{4, 6}), span{4, 6}, admission{filled: holeOf(4, 6)}},
		{"fill left", withHoles(10, span{4, 6}), span{4, 5}, admission{filled: holeOf(4, 6), rest: []span{{6, 6}}}},
		{"fill right", withHoles(10, span{4, 6}), span{5, 6}, admission{filled: holeOf(4, 6), rest: []span{{4, 4}}}},
		{"fill middle", withHoles(10, span{4, 8}), span{5, 6}, admission{filled: holeOf(4, 8), rest: []span{{4, 4}, {7, 8}}}},
		{"fill a hole of one", withHoles(10, span{4, 4}), span{4, 4}, admission{filled: holeOf(4, 4)}},
		{"fill the first hole", withHoles(10, span{1, 2}, span{5, 6}), span{1, 2}, admission{filled: holeOf(1, 2)}},
		{"fill the last of three", withHoles(20, span{1, 2}, span{5, 6}, span{9, 9}), span{9, 9}, admission{filled: holeOf(9, 9)}},
		{"fill the middle of three", withHoles(20, span{1, 2}, span{5, 6}, span{9, 9}), span{5, 5},
			admission{filled: holeOf(5, 6), rest: []span{{6, 6}}}},
		{"duplicate", withHoles(10), span{3, 5}, admission{verdict: duplicate}},
		{"duplicate of the first", withHoles(10), span{1, 1}, admission{verdict: duplicate}},
		{"duplicate of the last", withHoles(10), span{9, 9}, admission{verdict: duplicate}},
		{"duplicate of all", withHoles(10), span{1, 9}, admission{verdict: duplicate}},
		{"duplicate before a hole", withHoles(10, span{5, 6}), span{3, 4}, admission{verdict: duplicate}},
		{"duplicate behind a hole", withHoles(10, span{5, 6}), span{7, 9}, admission{verdict: duplicate}},
		{"duplicate between holes", withHoles(10, span{2, 3}, span{7, 8}), span{4, 6}, admission{verdict: duplicate}},
		{"overlap with the end", withHoles(10), span{9, 10}, admission{verdict: overlap}},
		{"overlap around all", withHoles(10), span{1, 20}, admission{verdict: overlap}},
		{"overlap into a hole", withHoles(10, span{5, 6}), span{4, 5}, admission{verdict: overlap}},
		{"overlap out of a hole", withHoles(10, span{5, 6}), span{6, 7}, admission{verdict: overlap}},
		{"overlap around a hole", withHoles(10, span{5, 6}), span{4, 7}, admission{verdict: overlap}},
		{"overlap over two holes", withHoles(10, span{3, 4}, span{6, 7}), span{4, 6}, admission{verdict: overlap}},
		{"overlap from the last hole beyond the end", withHoles(10, span{8, 9}), span{9, 11}, admission{verdict: overlap}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.n.holes)
			got := test.n.judge(test.s)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !slices.Equal(test.n.holes, before) {
				t.Errorf("judging changed the holes from %v to %v", before, test.n.holes)
			}
		})
	}
}

func TestNumbers_Advance(t *testing.T) {
	tests := []struct {
		name             string
		next, last, want uint64
	}{
		{"beyond", 5, 9, 10},
		{"to the next", 5, 5, 6},
		{"into a hole", 5, 2, 5},
		{"to the number before", 5, 4, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := numbers{next: test.next}
			n.advance(test.last)
			if n.next != test.want {
				t.Errorf("got %d, want %d", n.next, test.want)
			}
		})
	}
}

func TestNumbers_OpenClose(t *testing.T) {
	a, b, c := hole{span: span{2, 3}}, hole{span: span{5, 5}}, hole{span: span{8, 9}, at: gapKey{seq: 7}}
	tests := []struct {
		name  string
		open  []hole
		close []uint64
		want  []hole
	}{
		{"in order", []hole{a, b, c}, nil, []hole{a, b, c}},
		{"out of order", []hole{c, a, b}, nil, []hole{a, b, c}},
		{"the first closed", []hole{a, b, c}, []uint64{2}, []hole{b, c}},
		{"the middle closed", []hole{a, b, c}, []uint64{5}, []hole{a, c}},
		{"the last closed", []hole{a, b, c}, []uint64{8}, []hole{a, b}},
		{"no hole begins there", []hole{a, b, c}, []uint64{3, 4, 10}, []hole{a, b, c}},
		{"all closed", []hole{a, b}, []uint64{5, 2}, []hole{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var n numbers
			for _, h := range test.open {
				n.open(h)
			}
			for _, first := range test.close {
				n.close(first)
			}
			if !slices.Equal(n.holes, test.want) {
				t.Errorf("got %v, want %v", n.holes, test.want)
			}
		})
	}
}

// seenNumbers is the naive model: every number that was taken.
type seenNumbers map[uint64]bool

func (seen seenNumbers) top() uint64 {
	var top uint64
	for n := range seen {
		top = max(top, n)
	}
	return top
}

// judge says what numbers.judge must say, by looking at each number.
func (seen seenNumbers) judge(s span) verdict {
	taken := uint64(0)
	for n := s.first; n <= s.last; n++ {
		if seen[n] {
			taken++
		}
	}
	switch {
	case taken == s.count():
		return duplicate
	case taken > 0:
		return overlap
	}
	// Untaken numbers on both sides of one that is taken would be two holes; s is whole, so it is in one.
	return fresh
}

func (seen seenNumbers) take(s span) {
	for n := s.first; n <= s.last; n++ {
		seen[n] = true
	}
}

// take does to the numbers what a fold does.
func (n *numbers) take(s span) verdict {
	a := n.judge(s)
	if a.verdict != fresh {
		return a.verdict
	}
	if a.skipped != nil {
		n.open(hole{span: *a.skipped})
	}
	if a.filled != nil {
		n.close(a.filled.first)
		for _, rest := range a.rest {
			n.open(hole{span: rest})
		}
	}
	n.advance(s.last)
	return fresh
}

func checkNumbers(t *rapid.T, n *numbers, seen seenNumbers) {
	t.Helper()
	if want := seen.top() + 1; n.next != want {
		t.Fatalf("next: got %d, want %d", n.next, want)
	}
	missing := map[uint64]bool{}
	var before uint64
	for _, h := range n.holes {
		if h.first > h.last || h.first <= before {
			t.Fatalf("holes %v do not rise", n.holes)
		}
		before = h.last
		for i := h.first; i <= h.last; i++ {
			missing[i] = true
		}
	}
	for i := uint64(1); i < n.next; i++ {
		if seen[i] == missing[i] {
			t.Fatalf("number %d: taken %t, in a hole %t", i, seen[i], missing[i])
		}
	}
	if before >= n.next {
		t.Fatalf("hole up to %d, next is %d", before, n.next)
	}
}

// Any spans in any order: nothing is taken twice, and what is not taken is in a hole.
func TestNumbers_AnySpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, seen := numbers{next: 1}, seenNumbers{}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			first := rapid.Uint64Range(1, 80).Draw(t, "first")
			s := span{first, first + rapid.Uint64Range(0, 4).Draw(t, "more")}
			want := seen.judge(s)
			if got := n.take(s); got != want {
				t.Fatalf("%v: got verdict %d, want %d", s, got, want)
			}
			if want == fresh {
				seen.take(s)
			}
			checkNumbers(t, &n, seen)
		}
	})
}

// The messages of a producer, reordered, duplicated and lost: each that comes is taken once, and the holes are
// those that never came.
func TestNumbers_Transport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent []span
		next := uint64(1)
		for range rapid.IntRange(1, 30).Draw(t, "messages") {
			s := span{next, next + rapid.Uint64Range(0, 4).Draw(t, "more")}
			sent, next = append(sent, s), s.last+1
		}
		var came []span
		for _, s := range sent {
			for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "copies") {
				came = append(came, s)
			}
		}
		came = rapid.Permutation(came).Draw(t, "order")
		n, seen, taken := numbers{next: 1}, seenNumbers{}, map[span]int{}
		for _, s := range came {
			switch n.take(s) {
			case fresh:
				taken[s]++
				seen.take(s)
			case overlap:
				t.Fatalf("%v overlaps, of a producer whose messages do not", s)
			}
		}
		for _, s := range came {
			if taken[s] != 1 {
				t.Fatalf("%v was taken %d times, want once", s, taken[s])
			}
		}
		checkNumbers(t, &n, seen)
	})
}
