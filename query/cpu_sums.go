package query

import "sync"

// cpuSums keeps what all processes of a snapshot used, in percent of a core: to add that up reads all of them, and it never changes.
type cpuSums struct {
	mu sync.Mutex
	of map[cpuSum]float64
}

// cpuSum names a snapshot. The time is in it, for another database may come to stand at the path, in which the id is another's.
type cpuSum struct {
	id int64
	at float64
}

// mostSums is how many sums are kept: of some time lines.
const mostSums = 10_000

// keep keeps a sum.
func (c *cpuSums) keep(of cpuSum, used float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil || len(c.of) > mostSums {
		c.of = map[cpuSum]float64{}
	}
	c.of[of] = used
}
