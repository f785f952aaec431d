package block

import "encoding/binary"

// consumerMark and the version begin a consumer's state.
const consumerMark = 22

// IsConsumerState reports whether b, a consumer's file o.dat, can be what the server wrote. The file has no checksum, and the
// server allocates from the counts in it.
func IsConsumerState(b []byte) bool {
	if len(b) < 2 || b[0] != consumerMark || b[1] != 1 && b[1] != 2 {
		return false
	}
	numbers := numbers{remaining: b[2:]}
	perPending := 2 + int(b[1]) - 1 // the sequence, from version 2 on the consumer's own, the time
	floorConsumer, floorStream := numbers.next(), numbers.next()
	deliveredConsumer, deliveredStream := numbers.next(), numbers.next()
	if b[1] == 2 && (floorConsumer > deliveredConsumer || floorStream > deliveredStream) || (floorStream|deliveredStream)&(1<<63) != 0 {
		return false
	}
	if pending := numbers.next(); pending > 0 {
		numbers.next() // the time of the oldest
		numbers.skip(pending, perPending)
	}
	numbers.skip(numbers.next(), 2)
	return !numbers.bad && len(numbers.remaining) == 0
}

// numbers are varints one behind another.
type numbers struct {
	remaining []byte
	bad       bool
}

func (n *numbers) next() uint64 {
	v, size := binary.Uvarint(n.remaining)
	if size <= 0 {
		n.bad = true
		return 0
	}
	n.remaining = n.remaining[size:]
	return v
}

// skip passes over a count of entries of so many numbers each.
func (n *numbers) skip(count uint64, each int) {
	if count > uint64(len(n.remaining)/each) {
		n.bad = true
		return
	}
	for range count * uint64(each) {
		n.next()
	}
}
