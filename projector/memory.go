package projector

import "cmp"

// Memory bounds what a projector holds in memory, in bytes. The zero value of each field is its default.
type Memory struct {
	Decoded int64 // messages decoded and not yet folded, about; default 32 MiB
	Ahead   int64 // of a stream, that the server sends ahead; default 16 MiB, at least minAhead
	Writer  int64 // pages that the database's writer keeps, each of which takes twice its size; default 16 MiB
	Reader  int64 // the same of each of retention's two readers; default 8 MiB
}

// minAhead is above the largest message, or that one could never come. A bound on the number of messages too would save the
// client's 8 MB for each reader, and cost messages: its queue is just as long, heartbeats wait in it beside messages, and what
// does not fit is dropped.
const minAhead = 9 << 20

func (m Memory) withDefaults() Memory {
	m.Decoded = cmp.Or(m.Decoded, 32<<20)
	m.Ahead = max(cmp.Or(m.Ahead, 16<<20), minAhead)
	m.Writer = cmp.Or(m.Writer, 16<<20)
	m.Reader = cmp.Or(m.Reader, 8<<20)
	return m
}
