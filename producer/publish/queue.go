package publish

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// The reasons for which items are dropped.
const (
	dropQueueFull = "queue full"
	dropTooLarge  = "message too large"
	dropStopped   = "not taken before the stop"
)

// window is how many messages are published before their acknowledgements are awaited, as long as all goes well. After a
// failure one message goes ahead alone: were many sent to a stream that is just coming back, it could refuse the first
// and take the others.
const window = 256

// queued is a message that waits for its acknowledgement.
type queued struct {
	msg   *nats.Msg
	kind  schema.Kind
	count uint64       // its items
	ends  []schema.End // of which it tells
	// life is the earlier life that left the message; zero for one of this life. What another life made does not count as this one's.
	life schema.Instance
}

func (m *queued) isOwn() bool { return m.life == schema.Instance{} }

// MostLeft is how many bytes of messages a life leaves on disk for the next one. What is over it is dropped, snapshots before events.
const MostLeft = 8 << 20

// ackTime is how long the log has to acknowledge a message before it is published again.
const ackTime = 10 * time.Second

// errNotSent is the error of a message that was held back, because one before it could not be sent.
var errNotSent = errors.New("not sent")

// newQueued is a message that is to wait, as it is encoded.
func newQueued(m *schema.Message, payload []byte, encoding string) queued {
	msg := nats.NewMsg(schema.Subject(m.Host, m.Kind))
	msg.Data = payload
	msg.Header.Set(nats.MsgIdHdr, m.ID())
	if count := m.Count(); count > 1 {
		msg.Header.Set(schema.HeaderItems, strconv.FormatUint(count, 10))
	}
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	return queued{msg: msg, kind: m.Kind, count: m.Count(), ends: m.Ended}
}

// queue holds the messages that wait, the oldest first, within a bound of bytes.
type queue struct {
	messages []queued
	size     int // bytes of all messages
	limit    int // bytes that may wait
	inFlight int // the first messages, which are being published
	window   int // how many may be in flight
	dropped  map[string]uint64
}

// push adds a message. When that is too much, older messages go, snapshots before events. It returns how many items went.
func (q *queue) push(m queued) (dropped uint64) {
	q.messages = append(q.messages, m)
	q.size += len(m.msg.Data)
	for q.size > q.limit && len(q.messages) > q.inFlight {
		dropped += q.drop(q.oldest(), dropQueueFull)
	}
	return dropped
}

// oldest is the place of the first message that may go: a snapshot, because the next one says much the same; else an
// event.
func (q *queue) oldest() int {
	for i := q.inFlight; i < len(q.messages); i++ {
		if q.messages[i].kind == schema.KindSnapshot {
			return i
		}
	}
	return q.inFlight
}

// drop removes the message at a place and counts its items as lost. It returns how many they are: none of a message that an
// earlier life left, of which the log learns that it did not come.
func (q *queue) drop(i int, reason string) uint64 {
	m := q.messages[i]
	q.size -= len(m.msg.Data)
	q.messages = slices.Delete(q.messages, i, i+1)
	if !m.isOwn() {
		return 0
	}
	q.dropped[reason] += m.count
	return m.count
}

// dropOver drops what is over a number of bytes, as a full queue does. It returns how many items went.
func (q *queue) dropOver(limit int) (dropped uint64) {
	q.inFlight = 0
	for q.size > limit {
		dropped += q.drop(q.oldest(), dropStopped)
	}
	return dropped
}

// takeOthers takes out all messages but the newest of each stream, and returns them, the oldest first.
func (q *queue) takeOthers() (others []queued) {
	var newest []queued
	seen := map[string]bool{}
	for _, m := range slices.Backward(q.messages) {
		if stream := schema.StreamFor(m.kind); seen[stream] {
			others = append(others, m)
		} else {
			seen[stream] = true
			newest = append(newest, m)
		}
	}
	slices.Reverse(others)
	slices.Reverse(newest)
	q.messages, q.size = nil, 0
	for _, m := range newest {
		q.messages, q.size = append(q.messages, m), q.size+len(m.msg.Data)
	}
	return others
}

// removeInherited takes out what earlier lives left, and returns which lives these are.
func (q *queue) removeInherited() (lives []schema.Instance) {
	q.messages = slices.DeleteFunc(q.messages, func(m queued) bool {
		if m.isOwn() {
			return false
		}
		q.size -= len(m.msg.Data)
		lives = append(lives, m.life)
		return true
	})
	return lives
}

// waitsOf reports whether a message waits that an earlier life left.
func (q *queue) waitsOf(life schema.Instance) bool {
	return slices.ContainsFunc(q.messages, func(m queued) bool { return m.life == life })
}

// replace puts another form of a message in its place.
func (q *queue) replace(i int, m queued) {
	q.size += len(m.msg.Data) - len(q.messages[i].msg.Data)
	q.messages[i] = m
}

// drops lists what was lost so far, in the order of the reasons, so that equal counts encode equally.
func (q *queue) drops() []schema.Drop {
	var drops []schema.Drop
	for _, reason := range slices.Sorted(maps.Keys(q.dropped)) {
		drops = append(drops, schema.Drop{Reason: reason, Count: q.dropped[reason]})
	}
	return drops
}

// startBatch returns the messages to publish next. They are in flight until finishBatch.
func (q *queue) startBatch() []queued {
	q.inFlight = min(len(q.messages), q.window)
	return slices.Clone(q.messages[:q.inFlight])
}

// finishBatch removes the messages that were acknowledged (a nil error) and those that the server will never take. All
// says that none of the batch is left; the counts are of items.
func (q *queue) finishBatch(errs []error) (all bool, acked, dropped uint64) {
	q.inFlight = 0
	all = true
	kept := q.messages[:0]
	var refused []queued
	for i, m := range q.messages {
		switch {
		case i < len(errs) && errs[i] == nil:
			if m.isOwn() {
				acked += m.count
			}
			q.size -= len(m.msg.Data)
		case i < len(errs) && tooLarge(errs[i]):
			refused = append(refused, m)
		default:
			all = all && i >= len(errs)
			kept = append(kept, m)
		}
	}
	clear(q.messages[len(kept):])
	q.messages = kept
	for _, m := range refused {
		q.messages = slices.Insert(q.messages, 0, m)
		dropped += q.drop(0, dropTooLarge)
	}
	q.window = 1
	if all {
		q.window = window
	}
	return all, acked, dropped
}

// tooLarge reports whether the server, or the stream, will never take the message.
func tooLarge(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum)
}
