package projector

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// The queue of a reader has room for all that the server sends ahead, however small the messages are: the server sends no more of the smallest than fit. The control takes a message
// for larger than they are.
func TestMemory_QueueHasRoom(t *testing.T) {
	w := newWorld(t)
	const messages, ahead = 2000, 64 << 10
	for range messages { // without an id and a body, on the shortest subject: no sampler sends so little
		if _, err := w.js.PublishAsync("proctape.v1.h.job", nil); err != nil {
			t.Fatal(err)
		}
	}
	<-w.js.PublishAsyncComplete()
	consumer, err := w.js.CreateConsumer(t.Context(), schema.StreamEvents, jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.FetchBytes(ahead)
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for range batch.Messages() {
		sent++
	}
	if most := (Memory{Ahead: ahead}).queue(); sent == 0 || sent == messages || sent > most {
		t.Errorf("the server sent %d of %d messages ahead, want some, and no more than %d", sent, messages, most)
	}
	t.Logf("%d messages in %d bytes", sent, ahead)
	if sent <= ahead/(8*leastMessage) {
		t.Errorf("control: %d messages would fit if each took %d bytes", sent, 8*leastMessage)
	}
}
