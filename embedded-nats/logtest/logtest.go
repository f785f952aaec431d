// Package logtest is a real log for the tests of other packages: a server, its streams, a connection, and what came.
package logtest

import (
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// Singletons are the goroutines of a server that live as long as the process: a look for leaked ones leaves them out.
func Singletons() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*ipQueue[...]).unregister"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.init.2.func1"),
	}
}

// Start starts a server on dir. The caller closes it.
func Start(t testing.TB, dir string) *embeddednats.Server {
	t.Helper()
	s, err := embeddednats.Start(t.Context(), embeddednats.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Close closes a server, and fails the test if it cannot.
func Close(t testing.TB, s *embeddednats.Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close the server: %v", err)
	}
}

// Copy copies the folder of a server that is closed, and keeps the modes of its files. The copy ends with the test.
func Copy(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", dir, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v: %s", dir, err, out)
	}
	return to
}

// Connect opens a connection to whatever server runs on dir, now or later, with the settings a producer asks for.
func Connect(t testing.TB, dir string) *nats.Conn {
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

// Serve runs a server with the log's streams until the test ends, and returns a connection to it.
func Serve(t testing.TB) *nats.Conn {
	t.Helper()
	return ServeAt(t, t.TempDir())
}

// ServeAt runs one on dir.
func ServeAt(t testing.TB, dir string) *nats.Conn {
	t.Helper()
	s := Start(t, dir)
	t.Cleanup(func() { Close(t, s) })
	nc := Connect(t, dir)
	Declare(t, nc)
	return nc
}

// Declare makes the streams of the log.
func Declare(t testing.TB, nc *nats.Conn) jetstream.JetStream {
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

// Stream is a stream, with its state as it is now.
func Stream(t testing.TB, nc *nats.Conn, stream string) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Stored is all that a stream holds, in its order.
func Stored(t testing.TB, nc *nats.Conn, stream string) []*jetstream.RawStreamMsg {
	t.Helper()
	s := Stream(t, nc, stream)
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

// Decode decodes a message of the log.
func Decode(t testing.TB, header nats.Header, data []byte) *schema.Message {
	t.Helper()
	m, err := schema.Decode(header.Get(schema.HeaderType), header.Get(schema.HeaderEncoding), data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Subscribe hands over every message of the log as it is published.
func Subscribe(t testing.TB, nc *nats.Conn) <-chan *nats.Msg {
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
