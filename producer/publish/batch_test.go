package publish

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// impatient is a log that does not wait for room: it counts what found some.
type impatient struct {
	jetstream.JetStream
	found int
}

func (i *impatient) PublishMsgAsync(msg *nats.Msg, opts ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	future, err := i.JetStream.PublishMsgAsync(msg, append(opts, jetstream.WithStallWait(time.Nanosecond))...)
	if err == nil {
		i.found++
	}
	return future, err
}

// deafServer is a connection to a server that takes messages and acknowledges none.
func deafServer(t *testing.T) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	nc, err := nats.Connect(s.ClientURL(), nats.ReconnectBufSize(-1))
	if err == nil {
		_, err = nc.Subscribe(">", func(*nats.Msg) {})
	}
	t.Cleanup(func() {
		nc.Close()
		s.Shutdown()
		s.WaitForShutdown()
	})
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

// The largest batch has room in the client: it does not wait for acknowledgements within, after which the connection may be another. The control has room for a window.
func TestPublisher_ABatchHasRoom(t *testing.T) {
	for room, want := range map[int]int{mostOfBatch: mostOfBatch, window: window} {
		nc := deafServer(t)
		p := newLife(t, nc, filepath.Join(t.TempDir(), "lives"), Config{})
		if room != mostOfBatch {
			var err error
			if p.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(room)); err != nil {
				t.Fatal(err)
			}
		}
		for range window + 10 {
			offer(t, p, snapshot(10), events(schema.KindSpawn, 1))
		}
		if !Keep(p) {
			t.Fatal("not all is on disk")
		}
		for range window + 10 {
			offer(t, p, snapshot(10))
		}
		i := &impatient{JetStream: p.js}
		p.js, p.queue.window, p.backlog.drain = i, window, window
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody acknowledges
		if p.flush(ctx); i.found != want {
			t.Errorf("room for %d: %d messages of a batch found it, want %d", room, i.found, want)
		}
	}
}
