package publish

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// testTimeout is how long a test waits for what must happen, on a machine that may be busy with other work.
const testTimeout = 5 * time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The server's own singletons, which live as long as the process.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*ipQueue[...]).unregister"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.init.2.func1"),
	)
}

func logTo(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// startServer starts a server on dir. The caller closes it.
func startServer(t testing.TB, dir string) *embeddednats.Server {
	t.Helper()
	s, err := embeddednats.Start(t.Context(), embeddednats.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeServer(t testing.TB, s *embeddednats.Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close the server: %v", err)
	}
}

// connect opens a connection to whatever server runs on dir, now or later, with the settings a producer asks for.
func connect(t testing.TB, dir string) *nats.Conn {
	t.Helper()
	keys, err := embeddednats.LoadKeys(embeddednats.KeysDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", append(keys.Admin.Options(),
		nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(dir))), nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectBufSize(-1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// serve runs a server with the log's streams until the test ends, and returns a connection to it.
func serve(t testing.TB) *nats.Conn {
	t.Helper()
	return serveAt(t, t.TempDir())
}

// serveAt runs one on dir.
func serveAt(t testing.TB, dir string) *nats.Conn {
	t.Helper()
	s := startServer(t, dir)
	t.Cleanup(func() { closeServer(t, s) })
	nc := connect(t, dir)
	declare(t, nc)
	return nc
}

func declare(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(t.Context(), js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	return js
}

// stored is all that a stream holds, in its order.
func stored(t *testing.T, nc *nats.Conn, stream string) []*jetstream.RawStreamMsg {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	var msgs []*jetstream.RawStreamMsg
	state := s.CachedInfo().State
	for seq := max(state.FirstSeq, 1); seq <= state.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatalf("message %d of %s: %v", seq, stream, err)
		}
		msgs = append(msgs, m)
	}
	return msgs
}

func decode(t *testing.T, header nats.Header, data []byte) *schema.Message {
	t.Helper()
	m, err := schema.Decode(header.Get(schema.HeaderType), header.Get(schema.HeaderEncoding), data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// subscription hands over every message of the log as it is published.
func subscribe(t *testing.T, nc *nats.Conn) <-chan *nats.Msg {
	t.Helper()
	msgs := make(chan *nats.Msg, 1<<16)
	sub, err := nc.ChanSubscribe(schema.SubjectPrefix+">", msgs)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			t.Error(err)
		}
	})
	return msgs
}

// withoutIDs is a log to which messages go without their ids.
type withoutIDs struct{ jetstream.JetStream }

func (w withoutIDs) PublishMsgAsync(msg *nats.Msg, opts ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	header := nats.Header{}
	for name, values := range msg.Header {
		if name != nats.MsgIdHdr {
			header[name] = values
		}
	}
	return w.JetStream.PublishMsgAsync(&nats.Msg{Subject: msg.Subject, Header: header, Data: msg.Data}, opts...)
}

// streamSize is how many messages a stream has.
func streamSize(t *testing.T, nc *nats.Conn, stream string) uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}
