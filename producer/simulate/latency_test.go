package simulate

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLatencies_Quantile: it is the sorted list's, or up to an eighth more.
func TestLatencies_Quantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 200).Draw(t, "all")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		l := new(latencies)
		for _, d := range all {
			l.add(time.Duration(d))
		}
		slices.Sort(all)
		exact := time.Duration(all[min(int(q*float64(len(all))), len(all)-1)])
		if got := l.quantile(q); got < exact || got > exact+exact/perDoubling {
			t.Fatalf("got %s, want %s", got, exact)
		}
		if l.max != time.Duration(all[len(all)-1]) {
			t.Fatalf("got the most as %s of %v", l.max, all)
		}
	})
}

func TestLatencies_OfNothing(t *testing.T) {
	if got := new(latencies).quantile(0.5); got != 0 {
		t.Errorf("got %s", got)
	}
}
