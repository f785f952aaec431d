package fold

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/projector/store"
)

// withHoles is a producer's numbers up to next, with holes.
func withHoles(next uint64, holes ...store.Span) numbers {
	n := numbers{Next: next}
	for _, s := range holes {
		n.open(store.Hole{Span: s})
	}
	return n
}

func TestNumbers_Classify(t *testing.T) {
	spanOf := func(first, last uint64) *store.Span { return &store.Span{First: first, Last: last} }
	holeOf := func(first, last uint64) *store.Hole { return &store.Hole{Span: store.Span{First: first, Last: last}} }
	tests := []struct {
		name string
		n    numbers
		s    store.Span
		want admission
	}{
		{"first of all", withHoles(1), store.Span{First: 1, Last: 1}, admission{}},
		{"next", withHoles(10), store.Span{First: 10, Last: 14}, admission{}},
		{"jump by one", withHoles(10), store.Span{First: 11, Last: 11}, admission{skipped: spanOf(10, 10)}},
		{"jump by many", withHoles(1), store.Span{First: 100, Last: 101}, admission{skipped: spanOf(1, 99)}},
		{"jump with holes before", withHoles(10, store.Span{First: 2, Last: 3}), store.Span{First: 12, Last: 12}, admission{skipped: spanOf(10, 11)}},
		{"fill whole", withHoles(10, store.Span{First: 4, Last: 6}), store.Span{First: 4, Last: 6}, admission{filled: holeOf(4, 6)}},
		{"fill left", withHoles(10, store.Span{First: 4, Last: 6}), store.Span{First: 4, Last: 5}, admission{filled: holeOf(4, 6), remaining: []store.Span{{First: 6, Last: 6}}}},
		{"fill right", withHoles(10, store.Span{First: 4, Last: 6}), store.Span{First: 5, Last: 6}, admission{filled: holeOf(4, 6), remaining: []store.Span{{First: 4, Last: 4}}}},
		{"fill middle", withHoles(10, store.Span{First: 4, Last: 8}), store.Span{First: 5, Last: 6}, admission{filled: holeOf(4, 8), remaining: []store.Span{{First: 4, Last: 4}, {First: 7, Last: 8}}}},
		{"fill a hole of one", withHoles(10, store.Span{First: 4, Last: 4}), store.Span{First: 4, Last: 4}, admission{filled: holeOf(4, 4)}},
		{"fill the first hole", withHoles(10, store.Span{First: 1, Last: 2}, store.Span{First: 5, Last: 6}), store.Span{First: 1, Last: 2}, admission{filled: holeOf(1, 2)}},
		{"fill the last of three", withHoles(20, store.Span{First: 1, Last: 2}, store.Span{First: 5, Last: 6}, store.Span{First: 9, Last: 9}), store.Span{First: 9, Last: 9}, admission{filled: holeOf(9, 9)}},
		{"fill the middle of three", withHoles(20, store.Span{First: 1, Last: 2}, store.Span{First: 5, Last: 6}, store.Span{First: 9, Last: 9}), store.Span{First: 5, Last: 5},
			admission{filled: holeOf(5, 6), remaining: []store.Span{{First: 6, Last: 6}}}},
		{"duplicate", withHoles(10), store.Span{First: 3, Last: 5}, admission{state: duplicate}},
		{"duplicate of the first", withHoles(10), store.Span{First: 1, Last: 1}, admission{state: duplicate}},
		{"duplicate of the last", withHoles(10), store.Span{First: 9, Last: 9}, admission{state: duplicate}},
		{"duplicate of all", withHoles(10), store.Span{First: 1, Last: 9}, admission{state: duplicate}},
		{"duplicate before a hole", withHoles(10, store.Span{First: 5, Last: 6}), store.Span{First: 3, Last: 4}, admission{state: duplicate}},
		{"duplicate behind a hole", withHoles(10, store.Span{First: 5, Last: 6}), store.Span{First: 7, Last: 9}, admission{state: duplicate}},
		{"duplicate between holes", withHoles(10, store.Span{First: 2, Last: 3}, store.Span{First: 7, Last: 8}), store.Span{First: 4, Last: 6}, admission{state: duplicate}},
		{"overlap with the end", withHoles(10), store.Span{First: 9, Last: 10}, admission{state: overlap}},
		{"overlap around all", withHoles(10), store.Span{First: 1, Last: 20}, admission{state: overlap}},
		{"overlap into a hole", withHoles(10, store.Span{First: 5, Last: 6}), store.Span{First: 4, Last: 5}, admission{state: overlap}},
		{"overlap out of a hole", withHoles(10, store.Span{First: 5, Last: 6}), store.Span{First: 6, Last: 7}, admission{state: overlap}},
		{"overlap around a hole", withHoles(10, store.Span{First: 5, Last: 6}), store.Span{First: 4, Last: 7}, admission{state: overlap}},
		{"overlap over two holes", withHoles(10, store.Span{First: 3, Last: 4}, store.Span{First: 6, Last: 7}), store.Span{First: 4, Last: 6}, admission{state: overlap}},
		{"overlap from the last hole beyond the end", withHoles(10, store.Span{First: 8, Last: 9}), store.Span{First: 9, Last: 11}, admission{state: overlap}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.n.Holes)
			got := test.n.classify(test.s)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !slices.Equal(test.n.Holes, before) {
				t.Errorf("judging changed the holes from %v to %v", before, test.n.Holes)
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
			n := numbers{Next: test.next}
			n.advance(test.last)
			if n.Next != test.want {
				t.Errorf("got %d, want %d", n.Next, test.want)
			}
		})
	}
}

func TestNumbers_OpenClose(t *testing.T) {
	a, b, c := store.Hole{Span: store.Span{First: 2, Last: 3}}, store.Hole{Span: store.Span{First: 5, Last: 5}}, store.Hole{Span: store.Span{First: 8, Last: 9}, Gap: store.GapKey{Seq: 7}}
	tests := []struct {
		name  string
		open  []store.Hole
		close []uint64
		want  []store.Hole
	}{
		{"in order", []store.Hole{a, b, c}, nil, []store.Hole{a, b, c}},
		{"out of order", []store.Hole{c, a, b}, nil, []store.Hole{a, b, c}},
		{"the first closed", []store.Hole{a, b, c}, []uint64{2}, []store.Hole{b, c}},
		{"the middle closed", []store.Hole{a, b, c}, []uint64{5}, []store.Hole{a, c}},
		{"the last closed", []store.Hole{a, b, c}, []uint64{8}, []store.Hole{a, b}},
		{"no hole begins there", []store.Hole{a, b, c}, []uint64{3, 4, 10}, []store.Hole{a, b, c}},
		{"all closed", []store.Hole{a, b}, []uint64{5, 2}, []store.Hole{}},
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
			if !slices.Equal(n.Holes, test.want) {
				t.Errorf("got %v, want %v", n.Holes, test.want)
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

// classify says what numbers.classify must say, by looking at each number.
func (seen seenNumbers) classify(s store.Span) numberState {
	taken := uint64(0)
	for n := s.First; n <= s.Last; n++ {
		if seen[n] {
			taken++
		}
	}
	switch {
	case taken == s.Count():
		return duplicate
	case taken > 0:
		return overlap
	}
	// Untaken numbers on both sides of one that is taken would be two holes; s is whole, so it is in one.
	return fresh
}

func (seen seenNumbers) take(s store.Span) {
	for n := s.First; n <= s.Last; n++ {
		seen[n] = true
	}
}

// take does to the numbers what a fold does.
func (n *numbers) take(s store.Span) numberState {
	a := n.classify(s)
	if a.state != fresh {
		return a.state
	}
	var holes []store.Hole
	if a.skipped != nil {
		holes = append(holes, store.Hole{Span: *a.skipped})
	}
	for _, left := range a.remaining {
		holes = append(holes, store.Hole{Span: left})
	}
	n.book(s, a, holes)
	return fresh
}

func checkNumbers(t *rapid.T, n *numbers, seen seenNumbers) {
	t.Helper()
	if want := seen.top() + 1; n.Next != want {
		t.Fatalf("next: got %d, want %d", n.Next, want)
	}
	missing := map[uint64]bool{}
	var before uint64
	for _, h := range n.Holes {
		if h.First > h.Last || h.First <= before {
			t.Fatalf("holes %v do not rise", n.Holes)
		}
		before = h.Last
		for i := h.First; i <= h.Last; i++ {
			missing[i] = true
		}
	}
	for i := uint64(1); i < n.Next; i++ {
		if seen[i] == missing[i] {
			t.Fatalf("number %d: taken %t, in a hole %t", i, seen[i], missing[i])
		}
	}
	if before >= n.Next {
		t.Fatalf("hole up to %d, next is %d", before, n.Next)
	}
}

// Any spans in any order: nothing is taken twice, and what is not taken is in a hole.
func TestNumbers_AnySpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, seen := numbers{Next: 1}, seenNumbers{}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			first := rapid.Uint64Range(1, 80).Draw(t, "first")
			s := store.Span{First: first, Last: first + rapid.Uint64Range(0, 4).Draw(t, "more")}
			want := seen.classify(s)
			if got := n.take(s); got != want {
				t.Fatalf("%v: got state %d, want %d", s, got, want)
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
		var sent []store.Span
		next := uint64(1)
		for range rapid.IntRange(1, 30).Draw(t, "messages") {
			s := store.Span{First: next, Last: next + rapid.Uint64Range(0, 4).Draw(t, "more")}
			sent, next = append(sent, s), s.Last+1
		}
		var came []store.Span
		for _, s := range sent {
			for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "copies") {
				came = append(came, s)
			}
		}
		came = rapid.Permutation(came).Draw(t, "order")
		n, seen, taken := numbers{Next: 1}, seenNumbers{}, map[store.Span]int{}
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
