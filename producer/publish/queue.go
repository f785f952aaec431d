package publish

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// The reasons for which items are dropped.
const (
	dropQueueFull = "queue full"
	dropTooLarge  = "message too large"
	dropStopped   = "not taken before the stop"
	dropSpoolFull = "spool full"
	dropTooOld    = "too long in the spool"
	dropDamaged   = "spool damaged"
)

// window is how many messages are published before their acknowledgements are awaited, as long as all goes well. After a
// failure one message goes ahead alone: were many sent to a stream that is just coming back, it could refuse the first
// and take the others.
const window = 256

// mostOfBatch is how many messages a batch has at most: a window from memory, and one of each lane from the disk. The client has room for all of it. Else it would
// wait within the batch, and publish the next message on another connection than the one before it, which may be lost.
const mostOfBatch = 3 * window

// queued is a message that waits for its acknowledgement.
type queued struct {
	msg   *nats.Msg
	kind  schema.Kind
	count uint64       // its items
	ends  []schema.End // of which it tells
	boot  int64        // when it was made, by CLOCK_BOOTTIME, nanoseconds
	since time.Time    // since when it waits

	inFlight bool  // it is being published
	storing  bool  // it is being written to disk
	onDisk   *kept // where it waits on disk; nil for one that waits in memory
}

// kept is a message on disk.
type kept struct {
	spool.Entry
	in  *spool.Spool
	own bool
}

func (k *kept) take() { k.in.Take(k.Entry) }

// isOwn says that this life made it. What another life made does not count as this one's.
func (m *queued) isOwn() bool { return m.onDisk == nil || m.onDisk.own }

// ackTime is how long the log has to acknowledge a message before it is published again.
const ackTime = 10 * time.Second

// errNotSent is the error of a message that was held back, because one before it could not be sent.
var errNotSent = errors.New("not sent")

// newQueued is a message that is to wait, as it is encoded.
func newQueued(m *schema.Message, payload []byte, encoding string) *queued {
	q := &queued{kind: m.Kind, count: m.Count(), ends: m.Ended, boot: m.Boot, since: time.Now()}
	q.msg = newMsg(schema.Subject(m.Host, m.Kind), m.ID(), encoding, q.count, payload)
	return q
}

func newMsg(subject, id, encoding string, items uint64, payload []byte) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Data = payload
	msg.Header.Set(nats.MsgIdHdr, id)
	if items > 1 {
		msg.Header.Set(schema.HeaderItems, strconv.FormatUint(items, 10))
	}
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	return msg
}

// queue holds the messages that wait in memory, the oldest first, within a bound of bytes.
type queue struct {
	messages []*queued
	size     int // bytes of all messages
	limit    int // bytes that may wait
	window   int // how many may be in flight
	dropped  map[string]uint64
}

// push adds a message. When that is too much, older messages go, snapshots before events. It returns how many items went.
func (q *queue) push(m *queued) (dropped uint64) {
	q.messages = append(q.messages, m)
	q.size += len(m.msg.Data)
	return q.dropOver(q.limit, dropQueueFull)
}

// dropOver drops what is over a number of bytes, but for what is in flight. It returns how many items went.
func (q *queue) dropOver(limit int, reason string) (dropped uint64) {
	for q.size > limit {
		i := q.oldest()
		if i < 0 {
			break
		}
		dropped += q.drop(i, reason)
	}
	return dropped
}

// oldest is the place of the first message that may go: a snapshot, because the next one says much the same; else an
// event. It is negative when none may.
func (q *queue) oldest() int {
	event := -1
	for i, m := range q.messages {
		switch {
		case m.inFlight, m.storing:
		case m.kind == schema.KindSnapshot:
			return i
		case event < 0:
			event = i
		}
	}
	return event
}

// drop removes the message at a place and counts its items as lost. It returns how many they are.
func (q *queue) drop(i int, reason string) uint64 {
	m := q.messages[i]
	q.remove(m)
	q.dropped[reason] += m.count
	return m.count
}

// remove takes messages out.
func (q *queue) remove(gone ...*queued) {
	for _, m := range gone {
		if i := slices.Index(q.messages, m); i >= 0 {
			q.messages = slices.Delete(q.messages, i, i+1)
			q.size -= len(m.msg.Data)
		}
	}
}

// drops lists what was lost so far, in the order of the reasons, so that equal counts encode equally.
func (q *queue) drops() []schema.Drop {
	var drops []schema.Drop
	for _, reason := range slices.Sorted(maps.Keys(q.dropped)) {
		drops = append(drops, schema.Drop{Reason: reason, Count: q.dropped[reason]})
	}
	return drops
}

// startBatch returns the messages to publish next, of those that may go now. They are in flight until finishBatch.
func (q *queue) startBatch(mayGo func(*queued) bool) (batch []*queued) {
	for _, m := range q.messages {
		if len(batch) == q.window {
			break
		}
		if mayGo(m) {
			m.inFlight = true
			batch = append(batch, m)
		}
	}
	return batch
}

// finishBatch removes the messages that were acknowledged (a nil error) and those that the server will never take. All
// says that none of the batch is left; the counts are of items.
func (q *queue) finishBatch(batch []*queued, errs []error) (all bool, acked, dropped uint64) {
	all = true
	for i, m := range batch {
		m.inFlight = false
		switch {
		case errs[i] == nil:
			if m.isOwn() {
				acked += m.count
			}
		case tooLarge(errs[i]):
			if m.isOwn() {
				q.dropped[dropTooLarge] += m.count
				dropped += m.count
			}
		default:
			all = false
			continue
		}
		if m.onDisk != nil {
			m.onDisk.take()
		} else {
			q.remove(m)
		}
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
