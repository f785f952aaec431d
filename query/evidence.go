package query

import (
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
)

// evidence is what a database has that tells how much of a time is known of a host.
type evidence struct {
	host string
	stretch
	taken []stretch // the times that snapshots, or minutes, stand for
	heard []stretch // from the first to the last message of each sampler, and a period behind it
	views []viewed  // what the samplers saw, by time
	gaps  []Gap     // that overlap the time
	// eventsFrom is where events begin that retention has left; nothing of them is deleted when it is -Inf.
	eventsFrom float64
	forks      *int64  // processes and threads that were started in gaps and are not in the record; nil when that is not known
	notCome    int64   // items that samplers made after all that has come of them
	began      float64 // when its record began, however much of it is left; +Inf when it did not
	newest     float64 // the time of its newest snapshot, whatever the time that is meant
	period     float64 // the longest between two snapshots, in seconds
}

// viewed is what a sampler saw from a time on.
type viewed struct {
	from         float64
	capabilities []schema.Capability
	partial      bool
	seen, hidden int64 // processes, over its snapshots; hidden is 0 when a partial one cannot tell how many there are
	ioSeen, ioOf int64 // processes of the last snapshot whose I/O it could read; 0 of 0 when it lacks nothing
}

// sees reports whether the sampler said that it has something that a capability's description says.
func (v *viewed) sees(of func(*schema.CapabilityInfo) bool) bool {
	for _, c := range v.capabilities {
		if info, _ := c.Info(); of(&info) {
			return true
		}
	}
	return false
}

func seesAll(c *schema.CapabilityInfo) bool    { return c.SeesAll || c.Totals }
func seesTotals(c *schema.CapabilityInfo) bool { return c.Totals }

// share is which part of a kind of data the sampler saw, between 0 and 1.
func (v *viewed) share(data Data) float64 {
	processes := 1.0
	if v.partial {
		processes = 0
		if v.hidden > 0 && v.seen > 0 {
			processes = float64(v.seen) / float64(v.seen+v.hidden)
		}
	}
	switch data {
	case DataSnapshots:
		return processes
	case DataEvents:
		return float64(btoi(v.sees(seesAll)))
	case DataCPU:
		return float64(btoi(v.sees(seesTotals)))
	}
	if !v.sees(seesTotals) || v.ioOf == 0 && !slices.Contains(v.capabilities, schema.CapIO) {
		return 0
	}
	if v.ioOf > 0 {
		processes *= float64(v.ioSeen) / float64(v.ioOf)
	}
	return processes
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// percent is the share of the time in which all of a kind of data is known.
func (e *evidence) percent(data Data) float64 {
	whole := e.to - e.from
	if !(whole > 0) {
		return 0
	}
	known := without(joined(inside(e.base(data), e.stretch)), joined(e.holes(data)))
	covered := 0.0
	for i := range e.views {
		covered += length(inside(known, e.viewTime(i))) * e.views[i].share(data)
	}
	if len(e.views) == 0 {
		return 0
	}
	return min(100, max(0, 100*covered/whole))
}

// viewTime is the time in which a view holds: from its beginning to that of the next. The first holds before it too.
func (e *evidence) viewTime(i int) stretch {
	s := stretch{e.views[i].from, math.Inf(1)}
	if i == 0 {
		s.from = math.Inf(-1)
	}
	if i+1 < len(e.views) {
		s.to = e.views[i+1].from
	}
	return s
}

// base is the time of which a kind of data came, gaps left aside.
func (e *evidence) base(data Data) []stretch {
	if data == DataSnapshots {
		return e.taken
	}
	return without(joined(e.heard), []stretch{{math.Inf(-1), e.eventsFrom}})
}

// holes is the time of gaps that hide a kind of data. Snapshots say themselves of which time they tell.
func (e *evidence) holes(data Data) []stretch {
	var holes []stretch
	if data == DataSnapshots {
		return nil
	}
	for i := range e.gaps {
		if hides(&e.gaps[i], data) {
			holes = append(holes, extent(&e.gaps[i]))
		}
	}
	return holes
}

// ended is when its samplers were heard last.
func (e *evidence) ended() float64 {
	ended := math.Inf(-1)
	for _, s := range e.heard {
		ended = max(ended, s.to)
	}
	return ended
}

// missing is at least how many processes are not in the record: starts, or ends, that did not come.
func (e *evidence) missing() *int64 {
	counts := map[schema.Kind]int64{}
	for i := range e.gaps {
		if g := &e.gaps[i]; g.MessageKind != nil && g.Count != nil {
			kind := schema.Kind(*g.MessageKind)
			counts[kind] = schema.AddSaturated(counts[kind], *g.Count)
		}
	}
	most := max(counts[schema.KindSpawn], counts[schema.KindExit])
	if most == 0 && slices.ContainsFunc(e.gaps, func(g Gap) bool { return hides(&g, DataEvents) }) {
		return nil
	}
	return &most
}
