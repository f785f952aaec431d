package gpu

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// A table is what the lines of one nvidia-smi amount to.
type table interface {
	// addLine takes in a line. It reports whether the line is a sign of life: that a new round of lines begins with it. Odd says
	// which of its values were not understood and are unknown, err that nothing of it was.
	addLine(line string, now time.Time) (alive bool, odd, err error)
	// ended says that the program which printed the lines has ended.
	ended()
}

// reading is a GPU as it was at some time.
type reading struct {
	gpu  schema.GPU
	when time.Time
}

// at is the GPU as it is known now: by its index alone when the reading is as old as stale.
func (r reading) at(now time.Time, stale time.Duration) schema.GPU {
	if now.Sub(r.when) >= stale {
		return schema.GPU{Index: r.gpu.Index}
	}
	return r.gpu
}

// gpuTable holds the newest reading of each NVIDIA GPU.
type gpuTable struct {
	readings map[int]reading
	last     int  // index in the line before; -1 before the first
	next     int  // one more than the highest index there ever was
	settled  bool // there was a whole round, or there is none to be had
}

func newGPUTable() gpuTable { return gpuTable{readings: map[int]reading{}, last: -1} }

func (t *gpuTable) addLine(line string, now time.Time) (alive bool, odd, err error) {
	g, odd, err := parseGPU(line)
	if err != nil {
		return false, nil, err
	}
	alive = t.last < 0 || g.Index <= t.last // the lines of a round come in the order of their indexes
	t.settled = t.settled || alive && t.last >= 0
	t.last = g.Index
	t.next = max(t.next, g.Index+1)
	t.readings[g.Index] = reading{g, now}
	return alive, odd, nil
}

// ended keeps the readings: they get old by themselves.
func (t *gpuTable) ended() { t.last, t.settled = -1, true }

// list returns the GPUs, each at the place that its index says, and forgets those that are gone. One of which nothing is known
// stands at its place while there is one behind it: readers of the columns know a GPU by its place alone.
func (t *gpuTable) list(now time.Time, limits timing) []schema.GPU {
	maps.DeleteFunc(t.readings, func(_ int, r reading) bool { return now.Sub(r.when) >= limits.dropAfter })
	if len(t.readings) == 0 {
		return nil
	}
	gpus := make([]schema.GPU, slices.Max(slices.Collect(maps.Keys(t.readings)))+1)
	for i := range gpus {
		gpus[i] = schema.GPU{Index: i}
		if r, ok := t.readings[i]; ok {
			gpus[i] = r.at(now, limits.stale)
		}
	}
	return gpus
}

const maxApps = 4096 // processes on GPUs, at most

var errManyApps = errors.New("too many processes")

// appTable holds the GPU memory of processes.
type appTable struct {
	used map[app]usage
	keep time.Duration // a process that no line was about for so long has left its GPU
}

type usage struct {
	kib  int64
	when time.Time
}

func newAppTable(interval time.Duration) appTable {
	return appTable{used: map[app]usage{}, keep: interval + interval/2}
}

// addLine reports every good line as alive: a round of no lines, which is one without processes, cannot be told from none.
func (t *appTable) addLine(line string, now time.Time) (alive bool, odd, err error) {
	a, kib, odd, err := parseApp(line)
	if err != nil {
		return false, nil, err
	}
	maps.DeleteFunc(t.used, func(_ app, u usage) bool { return now.Sub(u.when) >= t.keep })
	if !kib.Known {
		delete(t.used, a)
		return true, odd, nil
	}
	if _, known := t.used[a]; !known && len(t.used) >= maxApps {
		return true, nil, errManyApps
	}
	t.used[a] = usage{kib.V, now}
	return true, odd, nil
}

func (t *appTable) ended() { clear(t.used) }

// sum adds up the memory of each process.
func (t *appTable) sum() map[int]int64 {
	sums := make(map[int]int64, len(t.used))
	for a, u := range t.used {
		sums[a.pid] += u.kib
	}
	return sums
}
