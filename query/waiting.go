package query

import "github.com/proctape/proctape/schema"

// Waiting adds to the balance of a host what waits in its sampler for the log: the numbers that the sampler has given and
// neither the log nor the database has reached. last is the last number of each kind of one life of the sampler. Call it behind
// [InFlight], or where the log does not answer in its place.
func Waiting(h *HostBalance, instance string, last map[string]int64) {
	var waiting int64
	for kind, n := range last {
		waiting = schema.AddSaturated(waiting, max(0, n+1-max(1, h.next[producerKind{instance, schema.Kind(kind)}])))
	}
	all := schema.AddSaturated(waiting, h.spooled)
	h.Waiting = &all
	known := min(waiting, h.lostAtEnd+h.NotCome) // items that what has come told of already
	h.Missing -= min(known, h.lostAtEnd)
	h.NotCome -= known - min(known, h.lostAtEnd)
	h.Produced = schema.AddSaturated(h.Produced, waiting-known)
	h.noteBounds()
}
