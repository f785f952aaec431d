package projector

import "cmp"

// Memory bounds what a projector holds in memory, in bytes. The zero value of each field is its default.
type Memory struct {
	Decoded int64 // messages decoded and not yet folded, about; default 32 MiB
	Ahead   int64 // of a stream, that the server sends ahead; default 16 MiB, at least minAhead
	Writer  int64 // pages that the database's writer keeps, each of which takes twice its size; default 16 MiB
	Reader  int64 // the same of each of retention's two readers; default 8 MiB
}

// minAhead is above the largest message, or that one could never come.
const minAhead = 9 << 20

// leastMessage is less than any message takes of what the server sends ahead: it counts the subject and where to acknowledge it too. One of ours takes three times as much.
const leastMessage = 64

// queue is how many messages the server may send ahead. The client makes a queue just as long, in which heartbeats wait too, and drops what does not fit: as much as is sent ahead
// always fits, and twice as much of our messages, which may lie there after a reconnection. Without a bound the queue of each reader takes 8 MB, which the garbage collector counts: it
// lets as much garbage lie.
func (m Memory) queue() int { return int(m.Ahead / leastMessage) }

func (m Memory) withDefaults() Memory {
	m.Decoded = cmp.Or(m.Decoded, 32<<20)
	m.Ahead = max(cmp.Or(m.Ahead, 16<<20), minAhead)
	m.Writer = cmp.Or(m.Writer, 16<<20)
	m.Reader = cmp.Or(m.Reader, 8<<20)
	return m
}
