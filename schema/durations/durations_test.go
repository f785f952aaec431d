package durations_test

import (
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/schema/durations"
)

func TestCounter(t *testing.T) {
	var c durations.Counter
	for _, d := range []time.Duration{0, 500 * time.Microsecond, 501 * time.Microsecond, time.Second, 30 * time.Second, time.Hour} {
		c.Observe(d)
	}
	h := c.Read()
	if len(h.Buckets) != len(durations.Bounds)+1 {
		t.Fatalf("%d buckets of %d bounds", len(h.Buckets), len(durations.Bounds))
	}
	want := make([]uint64, len(h.Buckets))
	want[0], want[1], want[slices.Index(durations.Bounds, 1)], want[len(want)-2], want[len(want)-1] = 2, 1, 1, 1, 1
	if !slices.Equal(h.Buckets, want) || h.Count() != 6 || h.Sum < 3631 || h.Sum > 3632 {
		t.Errorf("got %v, %d, %v s, want %v", h.Buckets, h.Count(), h.Sum, want)
	}
}
