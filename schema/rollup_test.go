package schema

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A minute that was rolled up in parts, in whatever order they came, is the minute rolled up at once.
func TestMergeSpreads_PartsMakeTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 50), 1, 600).Draw(t, "values")
		expected := int64(len(values))
		want := SpreadOf(slices.Clone(values), expected)
		var got Spread
		for rest := values; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "part")
			part := SpreadOf(slices.Clone(rest[:n]), expected)
			if rapid.Bool().Draw(t, "before") {
				got = MergeSpreads(part, got, expected)
			} else {
				got = MergeSpreads(got, part, expected)
			}
			rest = rest[n:]
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestSpreadOf_P95IsTheNearestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64(), 1, 640).Draw(t, "values")
		s := SpreadOf(slices.Clone(values), 0)
		below := 0
		for _, v := range values {
			if v <= s.P95 {
				below++
			}
		}
		if 100*below < 95*len(values) {
			t.Fatalf("got %d with %d of %d values at most that", s.P95, below, len(values))
		}
		if s.Max != slices.Max(values) || s.P95 > s.Max || s.Samples != int64(len(values)) {
			t.Fatalf("got %+v of %v", s, values)
		}
	})
}

func TestSpread_Mean(t *testing.T) {
	for _, tt := range []struct {
		spread Spread
		want   int64
	}{
		{Spread{}, 0},
		{Spread{Samples: 3, Sum: 10}, 3},
		{Spread{Samples: 3, Sum: 11}, 4},
		{Spread{Samples: 2, Sum: 3}, 2},
	} {
		if got := tt.spread.Mean(); got != tt.want {
			t.Errorf("mean of %d in %d: got %d, want %d", tt.spread.Sum, tt.spread.Samples, got, tt.want)
		}
	}
}

// The identity of a rollup tells rollups of different snapshots, minutes and hosts apart, and nothing else.
func TestRollupInstance(t *testing.T) {
	covers := []Cover{{Instance{1}, 1, 5}}
	id := RollupInstance("h", 60e9, covers)
	if id != RollupInstance("h", 60e9, slices.Clone(covers)) {
		t.Error("two names for one rollup")
	}
	for name, other := range map[string]Instance{
		"host":      RollupInstance("g", 60e9, covers),
		"minute":    RollupInstance("h", 120e9, covers),
		"snapshots": RollupInstance("h", 60e9, []Cover{{Instance{1}, 1, 6}}),
		"producer":  RollupInstance("h", 60e9, []Cover{{Instance{2}, 1, 5}}),
		"nothing":   RollupInstance("h", 60e9, nil),
	} {
		if id == other {
			t.Errorf("rollups of another %s have the same name", name)
		}
	}
}
