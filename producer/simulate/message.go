package simulate

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/schema"
)

// messages are what the last step made, in the order in which a sampler publishes it.
func (h *Host) messages() []schema.Message {
	s := h.scratch
	fillSnapshot(&h.machine, &s.snapshot, &s.pressure)
	addTrouble(h)
	h.addMessage(&h.hostClock, schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot}, Snapshot: &s.snapshot})
	h.addEvents(&h.hostClock, schema.KindExit, s.exits)
	h.addEvents(&h.hostClock, schema.KindOOM, s.ooms)
	h.addEvents(&h.hostClock, schema.KindSpawn, s.spawns)
	slices.SortStableFunc(s.execs, func(a, b schema.Exec) int { return cmp.Compare(a.Boot, b.Boot) })
	for some := range slices.Chunk(s.execs, schema.MaxEvents) {
		h.addMessage(&h.hostClock, schema.Message{Envelope: schema.Envelope{Kind: schema.KindExec}, Execs: some})
	}
	for jobs := range slices.Chunk(s.jobs, schema.MaxEvents) {
		h.addMessage(&h.hostClock, schema.Message{Envelope: schema.Envelope{Kind: schema.KindJob}, Jobs: jobs})
	}
	return s.messages
}
