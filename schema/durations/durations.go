// Package durations counts how long things took, in buckets, as Prometheus has them.
package durations

import (
	"slices"
	"sync"
	"time"
)

// Bounds are the upper ends of the buckets, in seconds. Another bucket has what took longer than the last.
var Bounds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Counter counts durations. The zero value has none. Any goroutine may use it.
type Counter struct {
	mu      sync.Mutex
	buckets [16]uint64
	sum     time.Duration
}

// Observe counts a duration.
func (c *Counter) Observe(d time.Duration) {
	bucket, _ := slices.BinarySearch(Bounds, d.Seconds()) // a bound belongs to its own bucket
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buckets[bucket]++
	c.sum += d
}

// Read returns what was counted.
func (c *Counter) Read() Histogram {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Histogram{Buckets: slices.Clone(c.buckets[:]), Sum: c.sum.Seconds()}
}

// Histogram is what a counter has counted since its process began.
type Histogram struct {
	Buckets []uint64 `json:"buckets"` // one for each of Bounds, and one for what took longer
	Sum     float64  `json:"sum_seconds"`
}

// Count is how many durations were counted.
func (h Histogram) Count() (n uint64) {
	for _, of := range h.Buckets {
		n += of
	}
	return n
}
