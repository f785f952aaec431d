package integration_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// holdings is what this process holds at rest.
type holdings struct {
	census
	heap int64 // bytes in use
}

// takeHoldings looks for a while: of what comes and goes it takes the most, and of the heap the least.
func takeHoldings(t *testing.T) holdings {
	t.Helper()
	h := holdings{takeCensus(t), liveHeap()}
	look(500*time.Millisecond, func() bool {
		h = holdings{h.most(takeCensus(t)), min(h.heap, liveHeap())}
		return false
	})
	return h
}

// beyond lists what this process holds more of than before. What is on its way out has so long to go; of heap so many
// bytes more are allowed.
func (h holdings) beyond(t *testing.T, grace time.Duration, margin int64) (more []string) {
	t.Helper()
	look(grace, func() bool {
		more = takeCensus(t).beyond(h.census)
		return len(more) == 0
	})
	var heap int64
	look(grace, func() bool {
		heap = liveHeap()
		return heap <= h.heap+margin
	})
	if heap > h.heap+margin {
		more = append(more, fmt.Sprintf("heap: %d KiB, was %d, at most %d more are allowed", heap>>10, h.heap>>10, margin>>10))
	}
	return more
}

// look looks again and again, until there is what is wanted, or the time is over.
func look(limit time.Duration, wanted func() bool) {
	for deadline := time.Now().Add(limit); !wanted() && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
}

// liveHeap is the bytes of the heap that are in use.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what waited for the first to run its finalizer
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// census counts goroutines by what started them, and descriptors by what they are of.
type census map[string]int

var (
	// stacks has room for those of all goroutines. It is made once: garbage would make the collector run, which closes
	// what somebody forgot to close.
	stacks    = make([]byte, 4<<20)
	startedBy = regexp.MustCompile(`(?m)^created by (\S+)`)
	digits    = regexp.MustCompile(`[0-9]+`) // of inodes, of the log's blocks, of temporary folders
)

func takeCensus(t *testing.T) census {
	t.Helper()
	c := census{}
	n := runtime.Stack(stacks, true)
	if n == len(stacks) {
		t.Fatal("the stacks of all goroutines are too long")
	}
	for _, starter := range startedBy.FindAllSubmatch(stacks[:n], -1) {
		c["goroutine of "+string(starter[1])]++
	}
	const folder = "/proc/self/fd/"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		of, err := os.Readlink(folder + e.Name())
		// Not this folder's, which is closed now, and not those that a sampler has of the processes that there are.
		if err == nil && !strings.HasPrefix(of, "/proc") {
			c["descriptor of "+digits.ReplaceAllString(of, "#")]++
		}
	}
	return c
}

// most has the larger number of each kind.
func (c census) most(other census) census {
	most := maps.Clone(c)
	for kind, n := range other {
		most[kind] = max(n, c[kind])
	}
	return most
}

// beyond lists the kinds of which there are more than before.
func (c census) beyond(before census) (more []string) {
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		if c[kind] > before[kind] {
			more = append(more, fmt.Sprintf("%s: %d, were %d", kind, c[kind], before[kind]))
		}
	}
	return more
}
