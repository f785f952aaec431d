package publish

import (
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

// cutting is a log whose connection is lost, and is there again, right behind the first message.
type cutting struct {
	jetstream.JetStream
	ids []string // of what was published
}

func (c *cutting) PublishMsgAsync(msg *nats.Msg, opts ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	c.ids = append(c.ids, msg.Header.Get(nats.MsgIdHdr))
	future, err := c.JetStream.PublishMsgAsync(msg, opts...)
	if len(c.ids) == 1 {
		back := c.Conn().StatusChanged(nats.CONNECTED)
		defer c.Conn().RemoveStatusListener(back)
		if err := c.Conn().ForceReconnect(); err != nil {
			return nil, err
		}
		<-back
	}
	return future, err
}

// What was published last may be lost with its connection. So what is behind it in the batch waits until that is known, and no message overtakes another.
func TestPublisher_NothingOvertakesWhatALostConnectionCarried(t *testing.T) {
	nc := logtest.Serve(t)
	p := newPublisher(t, nc, Config{})
	c := &cutting{JetStream: p.js}
	p.js, p.queue.window = c, window
	offer(t, p, snapshot(10), snapshot(10), snapshot(10))
	if p.flush(t.Context()); len(c.ids) != 1 {
		t.Errorf("published are %q, want the first alone", c.ids)
	}
	for p.Stats().Waiting > 0 {
		p.flush(t.Context())
	}
	if !slices.IsSorted(c.ids) || streamSize(t, nc, schema.StreamSnapshots) != 3 {
		t.Errorf("published are %q, and the log has %d", c.ids, streamSize(t, nc, schema.StreamSnapshots))
	}
}
