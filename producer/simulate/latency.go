package simulate

import (
	"math/bits"
	"time"
)

// latencies counts durations in buckets an eighth wide or narrower, so that millions of them take no more memory than a few.
type latencies struct {
	buckets [64 * perDoubling]uint64
	count   uint64
	max     time.Duration
}

// perDoubling is how many buckets there are from one power of two to the next.
const perDoubling = 8

func (l *latencies) add(d time.Duration) {
	d = max(d, 0)
	l.buckets[bucketOf(d)]++
	l.count++
	l.max = max(l.max, d)
}

// quantile is a duration that a share q of all did not exceed; 0 when there is none.
func (l *latencies) quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(l.count)), uint64(0)
	for i, n := range l.buckets {
		if seen += n; n > 0 && seen > min(rank, l.count-1) {
			return min(upperBound(i), l.max)
		}
	}
	return 0
}

// bucketOf takes the highest bit of d, and the three below it.
func bucketOf(d time.Duration) int {
	if d < perDoubling {
		return int(d)
	}
	doubling := bits.Len64(uint64(d)) - 1
	return (doubling-2)*perDoubling + int(uint64(d)>>(doubling-3))%perDoubling
}

// upperBound is the largest duration of a bucket.
func upperBound(bucket int) time.Duration {
	if bucket < perDoubling {
		return time.Duration(bucket)
	}
	doubling := bucket/perDoubling + 2
	return time.Duration((uint64(perDoubling+bucket%perDoubling)+1)<<(doubling-3) - 1)
}
